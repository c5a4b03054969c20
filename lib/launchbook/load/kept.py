"""Where samples are while a test runs: files in the run's own evidence, which grow and stay, whatever ends first.

They are gzipped CSV until the run is over: a Parquet file that has no footer yet can't be read, a gzip stream that was
cut off can, up to the cut. Once the table is written as Parquet they are removed.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError

_CHUNK = 4 << 20  # bytes fetched at once
RENEWED = "renewed"  # a file beside the samples: the generator ends where nobody touches it
RENEW_WITHIN = 120  # s; more than one command may take
_RENEW = 30.0  # s, after which it is touched at the latest
_LIST = f"""\
import json,os,pathlib,sys
pathlib.Path(sys.argv[1], {RENEWED!r}).touch()
print(json.dumps(os.listdir(sys.argv[1])))
"""
_READ = f"""\
import base64,pathlib,sys
pathlib.Path(sys.argv[1]).with_name({RENEWED!r}).touch()
with open(sys.argv[1],'rb') as file:
    file.seek(int(sys.argv[2])); sys.stdout.write(base64.b64encode(file.read(int(sys.argv[3]))).decode())
"""


class Kept:
    """The files of one engine, by name, in `folder`; the samples of an earlier try are not mixed with these."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, tuple(names)
        folder.mkdir(parents=True, exist_ok=True)
        self.remove()

    def size(self, name: str) -> int:
        """Bytes."""
        return (self.folder / name).stat().st_size if (self.folder / name).exists() else 0

    def append(self, name: str, data: bytes) -> None:
        """Raises OSError where the disk is full; what was there stays."""
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def remove(self) -> None:
        for name in self.names:
            (self.folder / name).unlink(missing_ok=True)


class Fetcher:
    """Brings what grew in a pod's volume every `every` seconds, in a thread, and the rest at the end.

    Each look tells the generator that its run lives; one that hears nothing for RENEW_WITHIN ends by itself.

    The commands run in a container beside the generator, so that they take nothing from its CPU and still work once it
    has ended. names: of the files, of which a pod may hold some
    """

    def __init__(
        self, cluster: Cluster, kept: Kept, where: tuple[str, str, str], folder: str, names: Sequence[str], every: float
    ) -> None:
        self._cluster, self._kept, self._where, self._folder, self._names = cluster, kept, where, folder, names
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(every,), daemon=True)
        self.problem = ""

    def __enter__(self) -> Fetcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def finish(self) -> None:
        """The rest of every file. Sets `problem` where it can't be had; what was fetched before stays."""
        self._over.set()
        self._thread.join()
        self.problem = self._fetch()

    def _run(self, every: float) -> None:
        due = time.monotonic() + every
        while not self._over.wait(min(every, _RENEW)):
            if time.monotonic() >= due:
                self.problem = self._fetch()
                due = time.monotonic() + every
            else:
                with suppress(ClusterError):  # the next try is soon
                    self._run_in_pod(_LIST, self._folder)

    def _fetch(self) -> str:
        try:
            there = json.loads(self._run_in_pod(_LIST, self._folder))
            for name in self._names:
                while name in there and self._more(name):
                    pass
        except (ClusterError, ValueError) as error:
            return f"The generator's samples could not be fetched: {error}"
        except OSError as error:
            return f"The generator's samples could not be written: {error.strerror or error}"
        return ""

    def _more(self, name: str) -> bool:
        at = self._kept.size(name)
        data = base64.b64decode(self._run_in_pod(_READ, f"{self._folder}/{name}", str(at), str(_CHUNK)))
        self._kept.append(name, data)
        return len(data) == _CHUNK

    def _run_in_pod(self, program: str, *words: str) -> str:
        namespace, pod, container = self._where
        command = ["python3", "-c", program, *words]
        answer = self._cluster.exec(namespace, pod, command, container=container, timeout=120)
        if answer.code:
            raise ClusterError(answer.stderr.strip()[-200:])
        return answer.stdout
