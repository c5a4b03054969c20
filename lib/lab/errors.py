"""What can go wrong in the lab, said to the person who must act."""

from __future__ import annotations

OWN_CLUSTER = "or name a cluster of your own: launchbook run parameters/my-cluster.yaml"


class LabError(Exception):
    """Anything the lab refuses or can't do; the message says what to do. The command ends with exit code 1."""


class Unmet(LabError):
    """This machine lacks something that the lab needs. Nothing was touched. Exit code 2."""

    def __init__(self, missing: str) -> None:
        super().__init__(f"{missing}; {OWN_CLUSTER}")


class ComponentDied(LabError):
    """A component of a node is not running; the message names it, ends its log and says where the log is."""
