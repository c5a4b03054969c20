"""A machine of the lab: namespaces held by one process, supervisord, which starts and reaps its components."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import supervisor
from supervisor.xmlrpc import SupervisorTransport

from lab import cgroups
from lab.components import Component
from lab.errors import ComponentDied, LabError
from lab.run import run
from lab.state import Machine, Process

SOCKET = "run/launchbook-lab.sock"  # in the machine's own file system
BOOT_TIMEOUT = 15.0  # s
KILL_TIMEOUT = 10.0  # s
POLL = 0.02  # s
LOG_LINES = 15
STATES = {
    "RUNNING": "running",
    "STARTING": "starting",  # in its first second
    "BACKOFF": "starting",
    "EXITED": "exited",
    "FATAL": "failed",
}

# Nothing of the caller's: a proxy named there would be asked for the lab's own addresses.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}

# What the kubelet would set for the whole machine; it finds these set, and the machine's own values stay.
SETTLED = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
# Of the machine's own network namespace.
SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}


class Node:
    """A machine and its components. `folder` is its own, below the lab's."""

    def __init__(self, lab: str, machine: Machine, folder: Path) -> None:
        self.lab = lab
        self.machine = machine
        self.folder = folder
        self.name = machine.name

    @property
    def pid(self) -> int:
        """Of the process that holds the namespaces. Raises `LabError` when it is gone."""
        if not self.alive:
            raise LabError(f"{self.name} is not running; `lab up --name {self.lab}` starts it again")
        assert self.machine.init is not None
        return self.machine.init.pid

    @property
    def alive(self) -> bool:
        return self.machine.init is not None and self.machine.init.alive

    def path(self, inside: str) -> Path:
        """Where a path of the machine's own file system is for the host."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def boot(self, components: Sequence[Component], *, readable: Sequence[Path], hidden: Sequence[Path]) -> None:
        """Start the machine with these components, none of them running yet; `booted` waits for it."""
        for name in ("etc", "log", "var", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").chmod(0o1777)
        settings = self.folder / "etc" / "supervisord.conf"
        settings.write_text(_supervisord(components, self.folder / "log"))
        spec = self.folder / "etc" / "machine.json"
        spec.write_text(json.dumps(self._spec(settings, readable, hidden), indent=1))
        groups = cgroups.create(self.lab, self.name)
        join = 'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs"; shift; done; shift; exec "$@"'
        namespaces = ("--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child")
        init = [sys.executable, "-I", str(Path(__file__).with_name("init.py")), str(spec)]
        with (self.folder / "log" / "machine.log").open("ab") as log:
            self._unshare = subprocess.Popen(
                ["sh", "-ec", join, "sh", *map(str, groups), "--", "unshare", *namespaces, *init],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                env=ENVIRONMENT,
            )

    def booted(self) -> None:
        """Wait until the machine takes orders. Raises `LabError` with its log when it does not."""
        deadline = time.monotonic() + BOOT_TIMEOUT
        while True:
            try:
                if self.machine.init is None:
                    self.machine.init = _only_child(self._unshare.pid)
                if self.machine.init is not None and self._supervisor().getState()["statename"] == "RUNNING":
                    return
            except (OSError, LabError):
                pass
            if self._unshare.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"{self.name} did not start:\n{tail(self.folder / 'log' / 'machine.log')}")
            time.sleep(POLL)

    def start(self, *names: str) -> None:
        """Start components that are not running."""
        for name in names:
            try:
                self._supervisor().startProcess(name, False)
            except Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString:
                    raise LabError(f"{name}@{self.name} can't be started: {fault.faultString}") from None

    def stop(self, name: str) -> None:
        try:
            self._supervisor().stopProcess(name, True)
        except Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise LabError(f"{name}@{self.name} can't be stopped: {fault.faultString}") from None

    def components(self) -> list[dict[str, Any]]:
        """Each component: `name`, `state` (running, starting, stopped, exited, failed), `pid` on this machine or None,
        `age` in s, `exit` (its exit code, or None while it runs or never ran), `log` (a path).
        Raises `LabError` when the machine is gone or does not answer."""
        ids = self._outer_pids()
        try:
            found = self._supervisor().getAllProcessInfo()
        except OSError as error:
            raise LabError(f"{self.name} does not answer: {error}") from error
        return [
            {
                "name": info["name"],
                "state": _state(info["statename"]),
                "pid": ids.get(info["pid"]),
                "age": max(0, info["now"] - info["start"]) if info["pid"] else None,
                "exit": None if info["pid"] or not info["stop"] else info["exitstatus"],
                "log": info["logfile"],
            }
            for info in found
        ]

    def check(self, *names: str) -> None:
        """Raise `ComponentDied` for the first of these components (of all that were started) that is not running."""
        for component in self.components():
            if component["state"] in ("exited", "failed") and (not names or component["name"] in names):
                raise ComponentDied(
                    f"{component['name']} of {self.name} died (exit code {component['exit']}). "
                    f"The end of its log, {component['log']}:\n{tail(Path(component['log']))}"
                )

    def settled(self) -> bool:
        """Whether no component is in its first second any more."""
        return all(component["state"] != "starting" for component in self.components())

    def enter(self, *command: str | Path, stdin: str | None = None, **options: Any) -> str:
        """Run a program of the host in the machine's network."""
        return run(["nsenter", f"--net=/proc/{self.pid}/ns/net", *command], stdin=stdin, **options)

    def kill(self) -> None:
        """End the machine and all in it, if it runs; namespaces and mounts go with it."""
        init = self.machine.init
        if init is None or not init.alive:
            return
        try:
            handle = os.pidfd_open(init.pid)
        except ProcessLookupError:
            return
        try:
            if init.alive:  # looked at through a handle that stays with the process
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)
        deadline = time.monotonic() + KILL_TIMEOUT
        while init.alive:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} (process {init.pid}) does not end")
            time.sleep(POLL)

    def _supervisor(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.path(SOCKET)}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _spec(self, settings: Path, readable: Sequence[Path], hidden: Sequence[Path]) -> dict[str, Any]:
        library = Path(supervisor.__file__).parent.parent
        kept = [Path(sys.prefix), Path(sys.base_prefix), library, *readable]
        return {
            "hostname": self.name,
            "folder": str(self.folder),
            "writable": [str(self.folder)],
            "readable": [str(path.resolve()) for path in _outermost(kept)],
            "hidden": [str(path) for path in hidden],
            "settled": SETTLED,
            "sysctls": SYSCTLS,
            "command": [sys.executable, "-m", "supervisor.supervisord", "-c", str(settings)],
        }

    def _outer_pids(self) -> dict[int, int]:
        """Process ids inside the machine -> on the host."""
        found = {}
        for pid in cgroups.processes(self.lab):
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                same = Path(f"/proc/{pid}/ns/pid").readlink() == Path(f"/proc/{self.pid}/ns/pid").readlink()
            except OSError:
                continue
            if same:
                inner = next(line for line in lines if line.startswith("NSpid:")).split()[-1]
                found[int(inner)] = pid
        return found


def tail(log: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a log, indented; says so when there is none."""
    try:
        text = log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return "  (there is no log)"
    return "\n".join(f"  {line}" for line in text) or "  (the log is empty)"


def _only_child(pid: int) -> Process | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return Process.of(int(children[0])) if children else None


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Without paths that lie below another one."""
    unique = list(dict.fromkeys(paths))
    return [path for path in unique if not any(path != top and path.is_relative_to(top) for top in unique)]


def _state(name: str) -> str:
    return STATES.get(name, "stopped")


def _supervisord(components: Sequence[Component], logs: Path) -> str:
    head = f"""\
[unix_http_server]
file = /{SOCKET}
chmod = 0700
[supervisord]
nodaemon = true
user = root
logfile = {logs / "supervisord.log"}
pidfile = /run/launchbook-lab.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_program(component, logs) for component in components)


def _program(component: Component, logs: Path) -> str:
    """Never restarted by itself: a component that died must be seen, not hidden."""

    def literal(text: str) -> str:
        return text.replace("%", "%%")

    command = " ".join(f'"{literal(argument)}"' for argument in component.command)
    return f"""\
[program:{component.name}]
command = {command}
environment = {_environment(component.environment)}
directory = /
autostart = false
autorestart = false
startretries = {component.retries}
startsecs = 1
stopwaitsecs = 5
redirect_stderr = true
stdout_logfile = {literal(str(logs / component.name))}.log
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 1
"""


def _environment(values: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"'.replace("%", "%%") for name, value in values.items())
