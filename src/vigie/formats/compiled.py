"""How loops over bytes are compiled (numba): once a machine, kept beside the source, without the lock."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile for the type it is called with, and keep the result beside the source for the next start.

    Whatever is compiled must be called once by a `warm` function that `workers.preload` calls: a confined
    worker can neither compile nor read what was kept.
    """
    try:
        return njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return] # numba has no types
    except RuntimeError:
        # Neither the package nor a home folder can be written: compile again at every start.
        return njit(nogil=True)(function)  # type: ignore[no-any-return] # as above
