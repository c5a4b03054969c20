"""A result file's bytes, unpacked and cut into blocks of whole lines, however large it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from isal import igzip_lib, isal_zlib

T = TypeVar("T")
_LARGE = 30 << 20  # bytes: just below the most that glibc learns from
_READ = 1 << 16  # bytes of the file
_UNPACKED = 4  # blocks that wait, at most
_HEAD = 1 << 16  # bytes unpacked
_BLOCK = 1 << 20  # bytes unpacked


class Stream:
    """cut: whether it ends in the middle of its gzip stream; ragged: of a line. Known at the end.

    whole: whether a last line without its end is left out, as a generator that was killed leaves one
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self.path = path
        self.cut = self.ragged = False
        self._whole = whole

    def head(self) -> bytes:
        """Some of its beginning. Raises OSError."""
        return next((part[:_HEAD] for part in self._unpacked() if part), b"")

    def blocks(self) -> Iterator[bytes]:
        """Blocks of whole lines, unpacked while those before are used. Raises OSError."""
        # glibc gives each large block back to the kernel and asks anew, until it has seen a larger one freed
        # (mallopt(3), M_MMAP_THRESHOLD): unpacking would spend as long on page faults as on its work.
        bytes(_LARGE)
        return _ahead(self._lines(), _UNPACKED)

    def each(self, made: Callable[[bytes], T], many: int) -> Iterator[T]:
        """What is made of each block, while those before are used; so many wait, at most."""
        return _ahead(map(made, self.blocks()), many)

    def _lines(self) -> Iterator[bytes]:
        kept: list[bytes | memoryview] = []
        size = 0
        for part in self._unpacked():
            size += len(part)
            end = part.rfind(b"\n") + 1 if size >= _BLOCK else 0
            if not end:
                kept.append(part)
                continue
            yield b"".join([*kept, memoryview(part)[:end]])
            kept, size = [part[end:]], len(part) - end
        last = b"".join(kept)
        if last.strip():
            self.ragged = not last.endswith(b"\n")
            yield last[: last.rfind(b"\n") + 1] if self._whole else last

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


def _ahead(items: Iterator[T], many: int) -> Iterator[T]:
    """The same items, so many of them made before they are asked for, in a thread of its own."""
    with ThreadPoolExecutor(1) as maker:
        coming = deque(maker.submit(next, items, None) for _ in range(many))
        try:
            while (item := coming.popleft().result()) is not None:
                coming.append(maker.submit(next, items, None))
                yield item
        finally:
            for one in coming:
                one.cancel()
