"""The four tracks: which notebook, which weight, and what each may need of the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Track:
    """id: A to D; subject: the word start() takes; weight: its share of the launch, in percent."""

    id: str
    subject: str
    title: str
    notebook: str
    weight: int


TRACKS = (
    Track("A", "manifests", "Manifests, isolation and disruption", "A-manifests.ipynb", 30),
    Track("B", "load", "Load test", "B-load-test.ipynb", 25),
    Track("C", "logs", "Log aggregation", "C-log-aggregation.ipynb", 25),
    Track("D", "launch", "Launch", "D-launch.ipynb", 20),
)


def by_subject(subject: str) -> Track:
    """The track that start(subject, …) names. Raises KeyError with the four words."""
    for track in TRACKS:
        if track.subject == subject:
            return track
    raise KeyError(f"no track is named {subject!r}; one of {', '.join(t.subject for t in TRACKS)}")
