"""The stronger freezer: a whole control group at once, for an actor that forks faster than it is frozen.

cgroup v2 has `cgroup.freeze` (Documentation/admin-guide/cgroup-v2.rst, "Core Interface Files"), v1 the
freezer controller's `freezer.state` (cgroup-v1/freezer-subsystem.rst). Both take whoever is born into the
group later. A group is taken only if all in it, and below it, are of the actor's family: what systemd calls a
slice holds other people's programs by definition, and is refused whoever is in it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.watch.actions import Outcome, Target
from vigie.watch.family import below, everybody
from vigie.watch.freeze import Freezer

_LARGEST = 1 << 20
"""Bytes read of a file of the kernel's; a group that lists more has too many members to be one actor's."""
_GROUPS = 256
"""Groups below one that are looked at."""


@dataclass(frozen=True, slots=True)
class _Switch:
    file: str
    frozen: str
    thawed: str


_SWITCHES = (_Switch("cgroup.freeze", "1", "0"), _Switch("freezer.state", "FROZEN", "THAWED"))


class GroupFreezer:
    """Freezes control groups, lets them go on; as an `Actuator`. `freezer` knows who may not be frozen."""

    kind = "freeze-group"

    def __init__(self, freezer: Freezer) -> None:
        self._freezer = freezer

    def group_of(self, root: int) -> Target | str:
        """The group to freeze for the family of a process, or why there is none."""
        reason = "it is in no control group that can be frozen"
        for folder in _folders(root):
            if not any(os.path.exists(f"{folder}/{switch.file}") for switch in _SWITCHES):
                continue
            members = _members(folder)
            table = everybody()
            family = {root, *below([root], table)}
            if folder.endswith(".slice"):
                reason = "its control group is a slice, which others share"
            elif members is None or root not in members:
                reason = "its control group cannot be read"
            elif strangers := [pid for pid in members & table.keys() if pid not in family]:
                reason = f"its control group holds others too (pid {strangers[0]})"
            else:
                return {"cgroup": folder}
        return reason

    def do(self, target: Target) -> Outcome:
        """Freeze it, unless it holds somebody who may not be."""
        folder = str(target["cgroup"])
        members = _members(folder)
        if members is None:
            return Outcome(False, "the control group is gone, or cannot be read", False)
        table = everybody()
        for pid in sorted(members & table.keys()):
            if reason := self._freezer.exempt(pid, table[pid]):
                return Outcome(False, f"not frozen: pid {pid} is in it, and {reason}", False)
        problem = _turn(folder, frozen=True)
        return Outcome(not problem, problem or "frozen", not problem)

    def undo(self, target: Target) -> Outcome:
        """Let it go on."""
        folder = str(target["cgroup"])
        if not os.path.isdir(folder):
            return Outcome(False, "the control group is gone")
        problem = _turn(folder, frozen=False)
        return Outcome(bool(problem), problem or "released", not problem)


def _turn(folder: str, *, frozen: bool) -> str:
    """Freeze or thaw; what went wrong, in words."""
    problem = "it cannot be frozen: it has neither cgroup.freeze nor freezer.state"
    for switch in _SWITCHES:
        try:
            with open(f"{folder}/{switch.file}", "r+") as file:
                file.write(switch.frozen if frozen else switch.thawed)
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = f"the system refuses: {error.strerror}"
        else:
            return ""
    return problem


def _folders(pid: int) -> Iterator[str]:
    """The groups of a process, as folders, in the hierarchies that can freeze; never a root."""
    mounts = list(_mounts())
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")  # none of them: version 2
        if path in ("", "/") or ".." in path.split("/"):
            continue
        for point, kind, root, options in mounts:
            first = "freezer" in controllers.split(",") and "freezer" in options
            if not first and (controllers or kind != "cgroup2"):
                continue
            if root == "/":
                yield point + path
            elif path.startswith(root + "/"):  # a container sees a part of the hierarchy
                yield point + path[len(root) :]


def _mounts() -> Iterator[tuple[str, str, str, list[str]]]:
    """Mount point, type, root and super options of every mounted hierarchy (proc_pid_mountinfo(5))."""
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if len(left) >= 5 and len(right) >= 3 and right[0] in ("cgroup", "cgroup2"):
            yield left[4], right[0], left[3], right[2].split(",")


def _members(folder: str) -> set[int] | None:
    """Every process in a group and below it; None where that cannot be known."""
    found: set[int] = set()
    for number, (path, _, files) in enumerate(os.walk(folder)):
        if number >= _GROUPS or "cgroup.procs" not in files:
            return None
        text = _read(f"{path}/cgroup.procs")
        if len(text) >= _LARGEST:
            return None
        found.update(int(word) for word in text.split() if word.isdecimal())
    return found or None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LARGEST)
    except OSError:
        return ""
