"""Parameters are read strictly; what is wrong is said with file, line and the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchbook.errors import ParametersError
from launchbook.parameters_file import knobs, load

GOOD = """\
name: here
allow: [apply]
cluster: {context: here}
manifests:
  path: sys/manifests
  namespaces: [a]
load:
  target: {service: a/b}
  scenario:
    requests: [{name: x, path: /x}]
    duration: 1m30s
launch:
  title: T
  checklist: sys/checklist.yaml
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "here.yaml"
    path.write_text(text)
    return path


def test_values_carry_their_origin(tmp_path: Path) -> None:
    """The environment's YAML goes before the default, the notebook before both."""
    resolved = load(write(tmp_path, GOOD), {"load.scenario.vus": 7})
    assert resolved.environment.load.scenario.vus == 7
    assert resolved.environment.load.scenario.duration == 90.0
    assert resolved.origins["load.scenario.vus"] == "notebook"
    assert resolved.origins["load.scenario.duration"] == "here.yaml:11"
    assert resolved.origins["load.scenario.think_time"] == "default"


def test_a_name_typed_for_another_environment_is_refused(tmp_path: Path) -> None:
    """Where nothing waits for a name, who types another one means another environment; where one does, the run says so."""
    path = write(tmp_path, GOOD)
    with pytest.raises(ParametersError) as caught:
        load(path, {"confirm": "prod"})
    assert str(caught.value) == (
        f"{path}:1: here: confirm names 'prod', and these are the parameters of 'here', which is not protected and needs no "
        "name\nNothing was touched."
    )
    for typed in (None, "here"):
        assert load(path, {"confirm": typed}).environment.confirm == typed
    guarded = write(tmp_path, GOOD.replace("{context: here}", "{context: here, protected: true}"))
    assert load(guarded, {"confirm": "prod"}).environment.confirm == "prod"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Wherever launchbook is started, the same manifests are meant."""
    assert load(write(tmp_path, GOOD)).environment.manifests.path == tmp_path / "sys/manifests"


def test_a_search_for_the_capacity_can_be_asked_for_in_a_notebook(tmp_path: Path) -> None:
    """Of a run's frozen parameters, too, which say that nobody asked for one."""
    (tmp_path / "frozen.yaml").write_text(load(write(tmp_path, GOOD)).to_yaml())
    for path in (tmp_path / "here.yaml", tmp_path / "frozen.yaml"):
        capacity = load(path, {"load.capacity.most": 500.0}).environment.load.capacity
        assert capacity is not None
        assert (capacity.first, capacity.most) == (10.0, 500.0)


def test_what_is_frozen_reads_back_the_same(tmp_path: Path) -> None:
    """A run's parameters.yaml is the environment, whole."""
    resolved = load(write(tmp_path, GOOD))
    (tmp_path / "frozen.yaml").write_text(resolved.to_yaml())
    assert load(tmp_path / "frozen.yaml").environment == resolved.environment


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    duration: 1m30s", "    duraton: 60s", "here.yaml:11: unknown parameter 'load.scenario.duraton'; did you mean 'duration'?"),
        ("    duration: 1m30s", "    duration: 5 mins", 'here.yaml:11: load.scenario.duration: \'5 mins\' is no duration; write it as "60s"'),
        ("    duration: 1m30s", "    vus: 0", "here.yaml:11: load.scenario.vus: Input should be greater than or equal to 1 (found 0)"),
        ("allow: [apply]", "allow: [aply]", "here.yaml:2: allow.0: Input should be 'apply', 'probe', 'evict' or 'load' (found 'aply')"),
        ("allow: [apply]", "allow: apply", "here.yaml:2: allow: must be a list, such as [a, b] (found 'apply')"),
        ("    duration: 1m30s", "    vus: few", "here.yaml:11: load.scenario.vus: must be a whole number (found 'few')"),
        ("launch:\n  title: T\n  checklist: sys/checklist.yaml\n", "launch: T\n", "launch: must be a mapping, such as {a: b} (found 'T')"),
        ("requests: [{name: x, path: /x}]", "requests: []", "here.yaml:9: load.scenario: needs `requests:`, or `script:` for one of k6's own, and not both"),
        ("    duration: 1m30s", "  thresholds: {}", "here.yaml:11: load.thresholds: needs 1 or more items (found {})"),
        ("  title: T\n", "", "here.yaml:12: launch.title is required and missing"),
        ("allow: [apply]", "allow: [apply]\nallow: [load]", "here.yaml:3: allow stands here and in line 2"),
        ("allow: [apply]", "allow: [apply", "is not YAML"),
        ("    duration: 1m30s", "  capacity: {first: 1, mots: 5}", "here.yaml:11: unknown parameter 'load.capacity.mots'; did you mean 'most'?"),
        ("    duration: 1m30s", "  capacity: {first: 1}", "here.yaml:11: load.capacity.most is required and missing"),
        ("    duration: 1m30s", "  capacity: {first: 9, most: 5}", "here.yaml:11: load.capacity: first, 9 requests/s, is above most, 5"),
        ("    duration: 1m30s", "  capacity: {first: 1, most: 5, at_least: 6}", "here.yaml:11: load.capacity: at_least, 6 requests/s, is above most, 5: it could not be shown"),
        ("    duration: 1m30s", "  capacity: {most: 50, duration: 1s}", "here.yaml:11: load.capacity.duration: Input should be greater than or equal to 2"),
        ("    duration: 1m30s", "  soak: {shortest: 10s}", "here.yaml:11: load.soak.shortest: Input should be greater than or equal to 30"),
        ("allow: [apply]", "allow: [load]\ntrack_deadline: 60s", "here: the load takes 105 s, and track_deadline ends it after 60 s; write `track_deadline: 405s`"),
        ("  title: T\n", "  title: T\n  statements: {x: {answer: yes, author: ' ', given: 2026-01-01, text: t}}\n", "launch.statements.x.author: String should match pattern"),
        ("  title: T\n", "  title: T\n  statements: {x: {answer: 'yes', author: a, given: 2026-01-01, text: t, expires: 2099-01-01}}\n", "expires 2099-01-01: an answer given on 2026-01-01 holds for a year at most; ask again then"),
        (GOOD, "- a\n", "here.yaml:1: an environment is a YAML mapping"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each mistake stops before anything is touched, and says where it is."""
    with pytest.raises(ParametersError) as raised:
        load(write(tmp_path, GOOD.replace(old, new)))
    assert message in str(raised.value)
    assert str(raised.value).endswith("Nothing was touched.")


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    """Nobody should need one start a mistake."""
    bad = GOOD.replace("duration: 1m30s", "vus: 0").replace("title: T", "titel: T")
    with pytest.raises(ParametersError) as raised:
        load(write(tmp_path, bad))
    assert "vus" in str(raised.value)
    assert "did you mean 'title'?" in str(raised.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(ParametersError, match=r"nowhere.yaml: can't be read"):
        load(tmp_path / "nowhere.yaml")


def test_a_name_that_the_notebook_does_not_declare_is_refused() -> None:
    """papermill only warns; a mistyped knob would otherwise test something else than was asked."""
    with pytest.raises(ParametersError, match=r"no parameter 'vuss'; did you mean 'vus'\?"):
        knobs("load", {"environment": "x", "vuss": 500, "In": [], "_i1": ""})


def test_a_knob_that_is_none_leaves_the_environments_value() -> None:
    """None means: as the environment says."""
    assert knobs("load", {"vus": None, "duration": "10s"}) == {"load.scenario.duration": "10s"}
