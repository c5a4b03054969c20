"""A link of a known length in front of a server: `python -m bench.link HOST PORT SECONDS` prints the port it listens on.

The lab's API server is on this machine; those of real clusters are a round trip away. Bytes wait half of it each way.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def lengthened(host: str, port: int, round_trip: float) -> Iterator[int]:
    """The port on loopback that leads to host:port. round_trip: s"""
    command = [sys.executable, "-m", "bench.link", host, str(port), str(round_trip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            loop.call_later(delay, writer.write, data)
    loop.call_later(delay, writer.close)


async def _serve(host: str, port: int, delay: float) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(host, port)
        await asyncio.gather(_pipe(reader, ours, delay), _pipe(theirs, writer, delay))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 2))
