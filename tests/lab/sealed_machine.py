"""Run in a network namespace of its own, this stands for a whole machine with an uplink that is listened to.

`unshare --net python sealed_machine.py NAME` brings the lab NAME up and down in it, tries to send to 198.18.0.0/15
past it in every state, and prints as JSON what left through the uplink: {state: [[source, destination], …]}.
Nothing it sends can leave the namespace.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from lab.addresses import RANGE, Slice
from lab.lab import Lab

ETH_P_ALL = 3
SO_BINDTODEVICE = 25
OUTSIDE = "203.0.113.9"  # RFC 5737: for documents, never routed
UPLINK = """
link set lo up
link add uplink type veth peer name world
address add 192.0.2.2/24 dev uplink
link set uplink up
link set world up
neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev uplink nud permanent
route add default via 192.0.2.1 dev uplink
"""


class Listener:
    """Collects source and destination of each IPv4 packet and ARP question that left through the uplink."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind(("world", ETH_P_ALL))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            frame, (_, _, direction, _, _) = self._socket.recvfrom(65536)
            if direction == socket.PACKET_OUTGOING:
                continue
            kind = struct.unpack("!H", frame[12:14])[0]
            if kind == 0x0800:
                self.seen.append([_text(frame[26:30]), _text(frame[30:34])])
            elif kind == 0x0806:
                self.seen.append([_text(frame[28:32]), _text(frame[38:42])])

    def take(self) -> list[list[str]]:
        """What was seen since last time, after a packet sent now has been seen: nothing is still on its way."""
        marker = len(self.seen)
        send(OUTSIDE)
        while not any(destination == OUTSIDE for _, destination in self.seen[marker:]):
            threading.Event().wait(0.01)
        found, self.seen = self.seen, []
        return found


def send(destination: str, device: str | None = None) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        if device:
            sender.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, device.encode())
        sender.sendto(b"lost?", (destination, 9))


def targets(taken: Slice | None) -> Iterator[str]:
    """The ends of the range, each slice, and in the lab's own: a pod, a Service and a link that nobody has."""
    yield from (str(RANGE[1]), str(RANGE[-2]))
    for index in range(16):
        yield str(Slice(index).network[77])
    if taken:
        yield from (str(taken.node_pods(1)[200]), str(taken.node_pods(9)[1]), str(taken.services[99]))
        yield str(taken.links[1000])


def main(name: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input=UPLINK, text=True, check=True)
    listener, found = Listener(), {}
    lab = Lab(name)
    try:
        status = lab.up(1)
        network = ipaddress.ip_network(status["slice"])
        taken = next(Slice(i) for i in range(16) if Slice(i).network == network)
        node = next(machine for machine in status["machines"] if machine["pods"])
        process = node["components"][0]["pid"]
        listener.take()
        for routes in ("0", "1"):
            Path("/proc/sys/net/ipv4/ip_forward").write_text(routes)
            state = "up, the host routes" if routes == "1" else "up"
            for address in targets(taken):
                send(address)
                send(address, "uplink")
            found[f"{state}: from the host"] = listener.take()
            outside = (*targets(taken), OUTSIDE, "192.0.2.1", "192.0.2.2")
            inside = ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, __file__, "send"]
            subprocess.run([*inside, *outside], check=True)
            found[f"{state}: from a node"] = listener.take()
    finally:
        lab.down()
    for address in targets(taken):
        send(address)
    found["down"] = listener.take()
    subprocess.run(["ip", "route", "delete", "unreachable", str(RANGE)], check=True)
    send(str(RANGE[1]))
    found["down, and somebody removed the route"] = listener.take()
    print(json.dumps(found))


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


if __name__ == "__main__":
    if sys.argv[1] == "send":
        for address in sys.argv[2:]:
            send(address)
    else:
        main(sys.argv[1])
