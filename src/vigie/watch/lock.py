"""One guard on one state folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie.errors import NotPermitted, StateInUse


@contextmanager
def sole_guard(state: Path) -> Iterator[None]:
    """Be the only guard on a state folder.

    A POSIX record lock (fcntl(2)): unlike one of flock(2) it is not shared with child processes, so that
    workers that outlive a killed guard do not keep the next one out. (Closing any descriptor of the file
    would give it up: `Fanotify.ignore`.)

    Raises:
        StateInUse: there is one.
        NotPermitted: the folder cannot be written.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state / "guard.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        remedy = "Give another state folder with --state or VIGIE_STATE."
        raise NotPermitted(str(state), error.strerror or str(error), remedy) from error
    try:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateInUse(
                str(state),
                "another guard uses this state folder",
                "Stop it, or give this one a folder of its own with --state.",
            ) from error
        yield
    finally:
        os.close(lock)
