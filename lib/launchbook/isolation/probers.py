"""The pods that probe: one for each source identity, all of them beside a control that they must reach.

A source's pod wears its labels and, where it is a workload, has its service account: some policies select by account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TypeVar

from launchbook.errors import ClusterError
from launchbook.guise import captors, captured
from launchbook.isolation.accounts import account_of
from launchbook.isolation.connect import ALLOWED, REFUSED, Prober, Target, prober
from launchbook.isolation.scratch import PORT, listener, open_namespace, prober_pod, scratch
from launchbook.ours import of_a_run
from launchbook.parameters import Source
from launchbook.pods import await_running, drop_namespace, ensure_namespace
from launchbook.run import Run

Key = tuple[str, str]
_START = 60.0  # s, for the probers to run
_WORKERS = 32
_CONTROL_ATTEMPTS = 5
PATIENCE = 1.0  # s, after which what ought to answer is tried anew
DNS, _DNS_PORT = ("kube-dns", "kube-system"), 53  # its name in every distribution but a few
T = TypeVar("T")


def reached_control(seen: Mapping[str, Sequence[str]], protocol: str = "TCP") -> bool:
    """Whether a probe pod reached one of its controls() in a round. seen: target id -> outcomes."""
    if protocol == "TCP":
        return any(ALLOWED in seen.get(one, ()) for one in ("control", "control-dns"))
    return any({ALLOWED, REFUSED} & set(seen.get(one, ())) for one in ("control-udp", "control-dns-udp"))


def key_of(source: Source) -> Key:
    """What makes two sources one: the namespace and the labels."""
    return source.namespace, ",".join(f"{k}={v}" for k, v in sorted(source.labels.items()))


class Probers:
    """The probe pods of some sources, from `with` until its end, when nothing of them is left.

    broken: source -> why its pod was not started; failed: source -> why it could not be asked, each time;
    control: the address of a listener of the run's own; dns: the address of the cluster's DNS, "" where it has none. Each
    of them must reach one of the two: policies may let a pod send to DNS and to nothing else.
    """

    def __init__(self, run: Run, sources: Iterable[Source]) -> None:
        self.run = run
        self.cluster = run.cluster
        self.sources = {key_of(source): source for source in sources}
        self.pods = {key: f"launchbook-probe-{n}" for n, key in enumerate(self.sources)}
        self.broken: dict[Key, str] = {}
        self.failed: dict[Key, list[str]] = {}
        self.control = self.dns = ""
        self._shells: dict[Key, tuple[ExitStack, Prober]] = {}

    def __enter__(self) -> Probers:
        self.run.at_exit(self._clean_up)
        self.run.progress("starting a probe pod for each source", 0.1)
        try:
            self._start()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._clean_up()

    def ask(self, asked: Mapping[Key, Sequence[Target]]) -> dict[Key, dict[str, list[str]]]:
        """Source -> target id -> outcomes, all sources at once; nothing of a source that could not be asked."""
        keys = [key for key in asked if key not in self.broken]
        return dict(zip(keys, self.each(keys, lambda key: self._ask(key, asked[key])), strict=True))

    def controls(self, *, udp: bool = False) -> list[Target]:
        """What shows that a probe pod's own network works. By UDP the listener's port is closed, which its kernel says."""
        found = [Target("control", self.control, PORT, _CONTROL_ATTEMPTS, every=PATIENCE)]
        found += [Target("control-udp", self.control, _DNS_PORT, 2, "UDP", PATIENCE)] if udp else []
        if self.dns:
            found.append(Target("control-dns", self.dns, _DNS_PORT, _CONTROL_ATTEMPTS, every=PATIENCE))
            found += [Target("control-dns-udp", self.dns, _DNS_PORT, 2, "UDP", PATIENCE)] if udp else []
        return found

    def each(self, keys: Sequence[Key], do: Callable[[Key], T]) -> list[T]:
        """What `do` gives for each key, at once."""
        with ThreadPoolExecutor(max_workers=min(_WORKERS, len(keys) or 1)) as pool:
            return list(pool.map(do, keys))

    def shell(self, key: Key) -> Prober:
        """The shell in a source's pod, opened at its first use. Raises ClusterError."""
        if key not in self._shells:
            stack = ExitStack()
            timeout = self.run.parameters.isolation.probe_timeout
            self._shells[key] = stack, stack.enter_context(prober(self.cluster, key[0], self.pods[key], timeout))
        return self._shells[key][1]

    def fail(self, key: Key, error: ClusterError) -> None:
        """Notes why a source could not be asked; its shell, which is broken, is opened anew the next time."""
        self.failed.setdefault(key, []).append(str(error))
        if shell := self._shells.pop(key, None):
            with suppress(ClusterError):
                shell[0].close()

    def _ask(self, key: Key, targets: Sequence[Target]) -> dict[str, list[str]]:
        try:
            return self.shell(key).round(targets)
        except ClusterError as error:
            self.fail(key, error)
            return {}

    def _start(self) -> None:
        namespace = scratch(self.run) + "-control"
        open_namespace(self.run, namespace)
        self.cluster.create(listener(self.run, "control", namespace, {"launchbook.io/canary": "control"}))
        self._source_namespaces()
        keys = [key for key in self.sources if key not in self.broken]
        started = self.each(keys, self._start_one)
        self.broken |= {key: why for key, why in zip(keys, started, strict=True) if why}
        self.control = await_running(self.cluster, namespace, "control", _START)["status"]["podIP"]
        self.dns = self._dns()

    def _dns(self) -> str:
        with suppress(ClusterError):
            address = ((self.cluster.get("Service", *DNS) or {}).get("spec") or {}).get("clusterIP")
            return "" if address in (None, "None") else str(address)
        return ""

    def _source_namespaces(self) -> None:
        """A source's namespace must be there: one that is made here would be isolated from nothing.

        The load generator's own is the exception, since the runbook brings it.
        """
        own, why = self.run.parameters.load.generator.namespace, {}
        for name in sorted({namespace for namespace, _ in self.sources}):
            try:
                found = self.cluster.get("Namespace", name)
                if name == own:
                    ensure_namespace(self.cluster, name)
                elif found is None:
                    why[name] = f"there is no namespace {name}"
                elif found["metadata"].get("deletionTimestamp"):
                    why[name] = f"namespace {name} is being deleted"
            except ClusterError as error:
                why[name] = str(error)
        self.broken |= {key: why[key[0]] for key in self.sources if key[0] in why}

    def _start_one(self, key: Key) -> str:
        """Starts a source's pod; why it could not be, "" where it runs."""
        try:
            source = self.sources[key]
            worn = self.cluster.list("Pod", key[0], labels=source.labels) if source.labels else []
            account = account_of(source, [one for one in worn if not of_a_run(one)])
            pod = prober_pod(self.run, self.pods[key], key[0], dict(source.labels), account=account)
            if taken := captured(pod["metadata"]["labels"], captors(self.cluster, key[0])):
                return f"{taken}; nothing was started."
            self.cluster.create(pod)
            await_running(self.cluster, key[0], self.pods[key], _START)
            self.shell(key)
        except ClusterError as error:
            return str(error)
        return ""

    def _clean_up(self) -> None:
        """Every probe pod goes, whatever becomes of the others; what can't be deleted is found by the sweep."""
        for key in list(self._shells):
            with suppress(ClusterError):
                self._shells.pop(key)[0].close()
        for key, name in self.pods.items():
            with suppress(ClusterError):
                self.cluster.delete("Pod", name, key[0], grace=0)
        with suppress(ClusterError):
            drop_namespace(self.cluster, scratch(self.run) + "-control")
