"""A result file's bytes, unpacked and cut into blocks of whole lines, however large it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from isal import igzip_lib, isal_zlib

_READ = 1 << 17  # bytes of the file
_BLOCK = 4 << 20  # bytes unpacked


class Stream:
    """cut: whether it ends in the middle of its gzip stream; ragged: of a line. Known at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = self.ragged = False

    def blocks(self) -> Iterator[bytes]:
        """Blocks of whole lines, each unpacked while the one before is used. Raises OSError."""
        with ThreadPoolExecutor(1) as ahead:
            parts = self._lines()
            coming = ahead.submit(next, parts, None)
            while (block := coming.result()) is not None:
                coming = ahead.submit(next, parts, None)
                yield block

    def _lines(self) -> Iterator[bytes]:
        kept, size = [], 0
        for part in self._unpacked():
            kept.append(part)
            size += len(part)
            if size < _BLOCK:
                continue
            whole = b"".join(kept)
            end = whole.rfind(b"\n") + 1
            yield whole[:end]
            kept, size = [whole[end:]], 0
        last = b"".join(kept)
        if last.strip():
            self.ragged = not last.endswith(b"\n")
            yield last

    def _unpacked(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            head = file.read(2)
            file.seek(0)
            packed = head == b"\x1f\x8b"
            unpack = isal_zlib.decompressobj(wbits=31)
            while data := file.read(_READ):
                if not packed:
                    yield data
                    continue
                while data:
                    if unpack.eof:  # gzip files one after the other are one file
                        unpack = isal_zlib.decompressobj(wbits=31)
                    try:
                        yield unpack.decompress(data)
                    except igzip_lib.IsalError:  # type: ignore[misc]  # its stub forgets that it is an Exception
                        self.cut = True
                        return
                    data = unpack.unused_data
            self.cut = packed and not unpack.eof
