"""The search for what the target takes: a load of its own for each rate, until capacity.decide() knows enough."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from launchbook.errors import ParametersError
from launchbook.load import judge
from launchbook.load.act import choose, deliver, keep
from launchbook.load.capacity import Answer, Next, Step, decide, most_steps, seen, unfit, users
from launchbook.load.figures import sending
from launchbook.load.plan import planned
from launchbook.load.result import Result
from launchbook.load.terms import Finding
from launchbook.parameters import Capacity, Load
from launchbook.run import Run
from launchbook.thresholds import METRICS, Threshold, parse

_USERS = 10_000  # as many as a scenario may have


@dataclass(frozen=True)
class Tried:
    """A step, and what was measured in it: requests/s answered, p95 (ms), and each threshold's figure."""

    step: Step
    answered: float = 0.0
    found: list[Finding] = field(default_factory=list)
    folder: str = ""


@dataclass(frozen=True)
class Searched:
    """Every step in order, and what they come to. wanted: requests/s that the target must take."""

    tried: list[Tried]
    answer: Answer
    wanted: float


def foretold(load: Load) -> dict[str, Any]:
    """{"steps", "seconds", "deadline"}: how many steps there may be, how long they send, and after what none begins.

    Raises ParametersError where no search can be made: before anything is sent. Empty without `load.capacity`.
    """
    if load.capacity is None:
        return {}
    given = load.capacity
    if problem := unfit(_thresholds(load), given.first, given.duration):
        raise ParametersError(f"load.capacity: {problem}. Nothing was sent.")
    _wanted(load, given)
    steps = most_steps(given.first, given.most, given.within)
    seconds = steps * (given.warmup + given.duration)
    if seconds > given.deadline:
        raise ParametersError(
            f"load.capacity: up to {steps} steps of {given.warmup + given.duration:g} s take {seconds:g} s, and no step "
            f"begins after load.capacity.deadline, {given.deadline:g} s: raise it, or begin nearer to the bound with "
            "load.capacity.first. Nothing was sent."
        )
    return {"steps": steps, "seconds": seconds, "deadline": given.deadline}


def search(run: Run, target: dict[str, Any], result: Result) -> Searched | None:
    """Raises the load on the target until a threshold breaks, and brackets the break; None where nobody asks for it.

    result: of the load before, without which nothing is sent. Each step is kept below evidence/load/capacity/, and
    what they come to so far in evidence/load/capacity.json.
    """
    load, given = run.parameters.load, run.parameters.load.capacity
    if given is None:
        return None
    expected, wanted, tried = foretold(load), _wanted(load, given), list[Tried]()
    if not result.answered:
        return Searched(tried, Answer("can't tell", None, None, "No load was sent."), wanted)
    run.require("load")
    began = time.monotonic()
    while True:
        steps = [one.step for one in tried]
        coming = decide(steps, first=given.first, most=given.most, within=given.within)
        passed = time.monotonic() - began
        if isinstance(coming, Next) and passed + given.warmup + given.duration > given.deadline:
            coming = _out_of_time(steps, given)
        if isinstance(coming, Answer):
            found = Searched(tried, coming, wanted)
            run.evidence("load/capacity.json", record(found))
            return found
        share = min(0.99, len(tried) / expected["steps"])
        run.progress(f"step {len(tried) + 1} of about {expected['steps']}: {coming.rate:g} requests/s", share)
        tried.append(_try(run, target, coming.rate, len(tried) + 1))
        so_far = Answer("can't tell", None, None, "The search did not come to its end.")
        run.evidence("load/capacity.json", record(Searched(tried, so_far, wanted)))


def record(found: Searched) -> dict[str, Any]:
    """capacity.json: {"said", "held", "broken", "because", "wanted", "steps": [{"rate", "held", …, "figures"}]}."""
    steps = [
        {
            **asdict(one.step), "answered": round(one.answered, 3), "evidence": f"evidence/{one.folder}",
            "figures": {f.threshold.name: None if f.figure is None else f.figure.value for f in one.found},
        }
        for one in found.tried
    ]  # fmt: skip
    return {**asdict(found.answer), "wanted": found.wanted, "steps": steps}


def _out_of_time(steps: list[Step], given: Capacity) -> Answer:
    held = max((s.rate for s in steps if s.held), default=None)
    broken = min((s.rate for s in steps if s.held is False), default=None)
    said = f"The {given.deadline:g} s of load.capacity.deadline were over after {len(steps)} steps."
    return Answer("can't tell", held, broken, said)


def _try(run: Run, target: dict[str, Any], rate: float, number: int) -> Tried:
    """One step: the scenario's requests at this rate, judged by the thresholds that ask for no rate."""
    load, thresholds = run.parameters.load, _thresholds(run.parameters.load)
    given = load.capacity
    assert given is not None
    changes = {
        "rate": rate, "stages": (), "vus": users(rate, thresholds, _USERS), "duration": given.duration, "warmup": given.warmup,
    }  # fmt: skip
    step = load.model_copy(update={"scenario": load.scenario.model_copy(update=changes)})
    engine = choose(step, target["url"], target.get("addresses", ()))
    assert not isinstance(engine, str)  # the load before was sent by it
    result = Result(engine=engine.name, cores=engine.cores, folder=f"load/capacity/{number:02}")
    deliver(run, engine, result)
    keep(run, result)
    tally, _ = result.counted(given.warmup)
    found = judge.findings(tally, thresholds)
    reasons = judge.reasons(tally, planned(step.scenario), thresholds, found, result.sender)
    count, seconds = sending(tally, given.duration)
    sent = count / seconds if seconds else 0.0
    answered = (tally.count - tally.failed) / tally.seconds if tally.seconds else 0.0
    return Tried(seen(rate, sent, found, reasons), answered, found, result.folder)


def _thresholds(load: Load) -> list[Threshold]:
    """Those that a step can break: its rate is its own, and so is how much it sends."""
    return [one for one in parse(load.thresholds) if METRICS[one.metric] != "counter"]


def _wanted(load: Load, given: Capacity) -> float:
    asked = max((one.limit for one in parse(load.thresholds) if one.asks_for_rate), default=None)
    wanted = given.at_least if given.at_least is not None else asked
    if wanted is None:
        raise ParametersError(
            "load.capacity: no threshold asks for a rate, so write `at_least: 100` (requests/s), which the target must take. "
            "Nothing was sent."
        )
    if wanted > given.most:
        raise ParametersError(
            f"load.capacity: {wanted:g} requests/s are asked for by load.thresholds, and load.capacity.most is {given.most:g}: "
            "it could not be shown. Raise it, or write `at_least`. Nothing was sent."
        )
    return wanted
