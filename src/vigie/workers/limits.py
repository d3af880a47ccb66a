"""What a worker gives up before it sees the first byte: privileges, files, network, memory, system calls.

Each measure that the kernel or our own rights do not allow is reported as missing, never silently skipped.
"""

import ctypes
import os
import resource
from dataclasses import asdict, dataclass
from typing import Any

from vigie.workers import seccomp

NOBODY = 65534
"""The user and group that own nothing (Debian policy 9.2.2)."""
FILES = 64
"""Descriptors a worker may have open."""

# linux/prctl.h, linux/sched.h, linux/landlock.h; system call numbers are the same on all 64-bit ports.
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWNET = 0x40000000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_ACCESS_FS_V1 = (1 << 13) - 1


@dataclass(frozen=True, slots=True)
class Isolation:
    """What was had; every report can say so."""

    memory: bool
    files: bool
    processes: bool
    unprivileged: bool
    no_new_privileges: bool
    filesystem: bool
    """Landlock: no path can be opened any more."""
    network: bool
    """A network namespace of its own, with nothing in it."""
    system_calls: bool
    """seccomp: only the system calls of judging are left."""

    def record(self) -> dict[str, bool]:
        """For JSON."""
        return asdict(self)

    def missing(self) -> tuple[str, ...]:
        """The measures that could not be had, in words."""
        words = {
            "memory": "no memory limit",
            "files": "no limit on open files",
            "processes": "may start processes",
            "unprivileged": "runs as the calling user",
            "no_new_privileges": "may gain privileges",
            "filesystem": "can open other files (no Landlock)",
            "network": "shares the network",
            "system_calls": "may make any system call (no seccomp)",
        }
        return tuple(words[name] for name, had in asdict(self).items() if not had)


def confine(memory: int) -> Isolation:
    """Give everything up, for the rest of this process' life.

    Args:
        memory: bytes of address space that may be added to what is in use now.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    in_use = _address_space()  # while /proc can still be read
    libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)  # a worker never outlives its parent
    network = os.geteuid() == 0 and libc.unshare(_CLONE_NEWNET) == 0
    unprivileged = _drop()
    # After the change of user, or the kernel would reset them.
    no_new = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    filesystem = no_new and _landlock(libc)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return Isolation(
        memory=_limit(resource.RLIMIT_AS, in_use + memory),
        files=_limit(resource.RLIMIT_NOFILE, FILES) and _limit(resource.RLIMIT_FSIZE, 0),
        processes=_limit(resource.RLIMIT_NPROC, 0),
        unprivileged=unprivileged,
        no_new_privileges=no_new,
        filesystem=filesystem,
        network=network,
        # The last one: what is above needs system calls that are gone then.
        system_calls=no_new and seccomp.restrict(libc, os.uname().machine),
    )


def _drop() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True


def _landlock(libc: Any) -> bool:
    """Handle every right of the first Landlock ABI and allow none (landlock(7))."""
    rights = ctypes.c_uint64(_LANDLOCK_ACCESS_FS_V1)
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rights), ctypes.sizeof(rights), 0)
    if ruleset < 0:
        return False
    try:
        return bool(libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _limit(what: int, value: int) -> bool:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(what, (value, value))
    except (OSError, ValueError):
        return False
    return True


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
