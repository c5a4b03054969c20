"""When each user of an open loop sends. Imported by the generator from beside it, so it imports nothing of ours."""

from __future__ import annotations


class Arrivals:
    """The moments of one user, such that all users together send evenly spaced.

    Users that all began at once would send in bursts, and a target that takes the rate would queue all the same. Of the
    moments that passed while a user waited for an answer it makes up for the last; those before are gone, as iterations
    that k6 drops.

    place: of the user among all, from 0; vus: how many users there are; rate: requests/s of all; begin: of the load (s)
    """

    def __init__(self, place: int, vus: int, rate: float, begin: float) -> None:
        self._every = vus / rate
        self._due = begin + (place / rate) % self._every - self._every

    def pause(self, now: float) -> float:
        """Seconds until the next moment; 0 where it has passed already. now: s, on the clock of `begin`."""
        self._due += self._every * max(1, int((now - self._due) / self._every))
        return max(0.0, self._due - now)
