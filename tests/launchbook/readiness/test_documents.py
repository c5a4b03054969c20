"""The launch documents: nothing unsupported is said, each claim leads to its check, text from a cluster stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launchbook.pages.notebook import markdown
from launchbook.parameters import Launch
from launchbook.readiness import show
from launchbook.readiness.judge import Answer, Criterion

ATTACK = "<script>alert(1)</script> [x](javascript:alert(1)) | `y`"
LAUNCH = Launch(
    title="Agents", checklist=Path("checklist.yaml"), endpoints={"API": "https://api.example.com"}, learnings=("One.",)
)
IDS = ("A.apply", "A.ready", "A.enforcement", "A.isolation", "A.budget", "A.eviction", "B.target", "B.validity")


def check(id: str, status: str = "PASS", **changed: Any) -> dict[str, Any]:
    return {
        "id": id, "subject": "s", "status": status, "because": "Why.", "measured": "m", "track": id[0], "priority": "P0",
        **changed,
    }  # fmt: skip


def verdict(*changed: dict[str, Any], word: str = "GO") -> dict[str, Any]:
    threshold = check("B.threshold", subject="http_req_duration: p(95)<500", measured="p(95) = 18.3 ms")
    replaced = {c["id"] for c in changed}
    kept = [c for c in (*map(check, IDS), threshold) if c["id"] not in replaced]
    return {
        "verdict": word, "checks": [*kept, *changed], "because": ["All is well."],
        "cluster": {"version": "v1.36.3"}, "subject": {"image": {"a/b r/i:1": "sha256:0"}},
        "tracks": [{"id": "A", "title": "One", "weight": 30}],
    }  # fmt: skip


def announce(given: dict[str, Any]) -> str:
    return show.announcement(LAUNCH, given, show.claims(LAUNCH, given["checks"]))


def test_each_claim_leads_to_its_checks() -> None:
    """To the rows of the first page of the run."""
    text = announce(verdict())
    assert "p(95) = 18.3 ms" in text
    assert "([A.budget](../index.html#A.budget), [A.eviction](../index.html#A.eviction))" in text
    assert '<a href="../index.html#A.budget">' in markdown(text)
    assert "Not said" not in text


def test_a_claim_that_no_check_supports_is_left_out_and_said_so() -> None:
    """A threshold that somebody accepted was not kept."""
    missed = check("B.threshold", "WAIVED", measured="p(95) = 900 ms", because="900 ms is above 500 ms.")
    body, _, left = announce(verdict(missed, word="CONDITIONAL")).partition("## Not said, since no check supports it")
    assert "kept every threshold" not in body
    assert "kept every threshold" in left
    assert "B.threshold is WAIVED: 900 ms is above 500 ms." in left


def test_a_conditional_launch_says_its_conditions() -> None:
    """Before anything that holds."""
    body = announce(verdict(word="CONDITIONAL") | {"because": ["WAIVED C.decision: accepted by the head."]})
    assert body.index("accepted by the head.") < body.index("What holds:") < body.index("A.apply")
    assert "conditions" not in announce(verdict())


def test_an_endpoint_that_nobody_asked_is_no_claim() -> None:
    """The load went to the Service; what a user will type may be another address. What was loaded is said."""
    text = announce(verdict(check("B.target", subject="a/api", measured="http://api.a.svc, 2 ready endpoints")))
    assert (
        "- API: `https://api.example.com` (not asked at this address; track B loaded Service a/api at `http://api.a.svc`)\n"
    ) in text
    assert "It answers at" not in text
    text = announce(verdict(check("B.target", measured="https://api.example.com, 2 ready endpoints")))
    assert "- API: `https://api.example.com`\n" in text
    assert "It answers at https://api.example.com. ([B.target]" in text


def test_an_endpoint_that_did_not_answer_is_no_endpoint_that_was_loaded() -> None:
    """Nor is one whose load was not sent, or of which there is no record; why stands beside it."""
    silent = check("B.target", "FAIL", subject="a/api", measured="https://api.example.com, 2 ready endpoints",
                   because="It did not answer before the load, so none was sent.")  # fmt: skip
    given = verdict(silent, word="NO-GO")
    assert (
        "`https://api.example.com` (not loaded by this run. Track B of a/api: It did not answer before the load, so none was "
        "sent.)\n"
    ) in announce(given)
    none = given | {"checks": [c for c in given["checks"] if c["id"] != "B.target"]}
    assert "`https://api.example.com` (not loaded by this run: it has no record of track B)\n" in announce(none)


def test_a_system_that_is_not_cleared_gets_a_draft() -> None:
    """And the word stands in the heading."""
    assert announce(verdict(word="NO-GO")).startswith("# Agents goes live (draft:")
    assert announce(verdict()).startswith("# Agents goes live\n")


def test_text_from_a_cluster_stays_text() -> None:
    """In each document, as Markdown and as the page that is made of it."""
    bad = check("A.ready", "FAIL", subject=ATTACK, because=ATTACK)
    given = verdict(bad, word="NO-GO")
    given["subject"] = {"image": {ATTACK: ATTACK}}
    answer = Answer("Documentation", "a", ATTACK, "FAIL", "check", ATTACK, ("A.ready",))
    for text in (
        announce(given),
        show.status_document(given),
        show.checklist_document(LAUNCH, [answer]),
        show.criteria_document(
            LAUNCH, [Criterion("One", False, ("A.ready",), ATTACK)], [{"object": ATTACK, "action": "created"}], [ATTACK]
        ),
    ):
        page = markdown(text)
        assert "alert(1)" in page
        assert "<script" not in page
        assert 'href="javascript' not in page


def test_the_exit_criteria_list_what_was_made() -> None:
    """Documents, objects created and objects changed, and what was learned."""
    applied = [{"object": "Service/a/b", "action": "created"}, {"object": "Service/a/c", "action": "changed"}]
    text = show.criteria_document(LAUNCH, [Criterion("One", None, ("A.a",), "Why.")], applied, ["status.md"])
    created, _, rest = text.partition("## Artifacts modified")
    assert text.startswith("# Exit criteria: 0 of 1 met")
    assert "- status.md\n- Service/a/b" in created
    assert "- Service/a/c" in rest
    assert rest.rstrip().endswith("- One.")


def test_the_status_tells_what_is_open() -> None:
    """What passed is not open, what was accepted neither."""
    given = verdict(check("A.ready", "UNKNOWN"), check("A.budget", "WAIVED"), word="NO-GO")
    open_ = show.status_document(given).partition("## Open")[2]
    assert open_.strip() == "- UNKNOWN P0 A.ready s: Why."


def test_the_status_tells_how_much_of_each_priority_passed() -> None:
    """What doesn't apply is not counted, and what was accepted did not pass."""
    others = [{**check("D.a", status), "priority": "P1"} for status in ("PASS", "PASS", "WAIVED", "NA")]
    checks = [check("A.ready"), check("A.budget", "FAIL"), *others]
    text = show.status_document({**verdict(), "checks": checks})
    assert "- P0: 1 of 2 checks passed (50 %); one that fails, or that can't be told, stops the launch." in text
    assert "- P1: 2 of 3 checks passed (66 %); a GO needs 80 %, a launch 60 %." in text
    assert "- P2: 0 of 0 checks passed; for information." in text


def test_the_checklist_counts_each_section() -> None:
    """What a person stated is counted apart."""
    answers = [
        Answer("Documentation", "a", "Item a", "PASS", "statement", "Said.", ("D.a",)),
        Answer("Documentation", "b", "Item b", "WAIVED", "check", "Accepted.", ("C.decision",)),
    ]
    assert "## Documentation: 1/2 · 1 waived · 1 by statement" in show.checklist_document(LAUNCH, answers)
