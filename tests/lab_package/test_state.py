"""State: a lab is found again after a crash or a reboot, and no other process is taken for one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lab import state
from lab.errors import LabError
from lab.state import Machine, Process, Record


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def _record() -> Record:
    control, node = Machine("a-control", 0, Process.of(os.getpid())), Machine("a-node-1", 1)
    return Record("a", 3, state.boot_id(), 1_790_000_000.5, [control, node], ["calico-felix@a-node-1"])


def test_a_record_is_read_as_it_was_written() -> None:
    state.save(_record())
    assert state.load("a") == _record()
    assert state.names() == ["a"]


def test_there_is_no_record_of_an_unknown_lab() -> None:
    assert state.load("a") is None
    assert state.names() == []


def test_a_lab_lies_in_the_users_state_folder(tmp_path: Path) -> None:
    assert state.home("a") == tmp_path / "launchbook" / "lab" / "a"


@pytest.mark.parametrize("name", ["", "A", "../x", "-a", "a-", "a" * 21, "a b"])
def test_a_name_that_no_host_can_have_is_refused(name: str) -> None:
    with pytest.raises(LabError, match=r"can't be a lab's name: expected .* e\.g\. lab-2"):
        state.home(name)


def test_this_process_is_alive() -> None:
    assert Process.of(os.getpid()).alive


def test_a_later_process_of_the_same_id_is_another_one() -> None:
    mine = Process.of(os.getpid())
    assert not replace(mine, start=mine.start - 1).alive


def test_a_process_from_before_a_reboot_is_gone() -> None:
    assert not replace(Process.of(os.getpid()), boot="another").alive


def test_a_process_that_ended_is_gone_even_before_anybody_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = Process.of(child.pid)
        assert process.alive
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process.alive
    assert not process.alive


def test_a_process_may_go_while_it_is_looked_at() -> None:
    for _ in range(300):
        child = subprocess.Popen(["true"])
        process = Process.of(child.pid)
        reaper = threading.Thread(target=child.wait)
        reaper.start()
        while process.alive:
            pass
        reaper.join()
