"""Makes the guard quick: an attack that keeps every core busy must not keep the guard waiting."""

import gc
import os
import resource
import sys
import threading
from contextlib import suppress

_NICE = -15
_DESCRIPTORS = 65_536


def be_urgent() -> None:
    """Run this process's threads before others, without pauses of our own; what is not permitted is left out.

    Called once all worker processes are started: what they parse must not run with this priority.
    """
    # The collector would stop us for tens of milliseconds to look at modules that never go away.
    gc.collect()
    gc.freeze()
    # Seconds a thread may keep the interpreter while another one waits (5 ms by default).
    sys.setswitchinterval(0.0005)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _DESCRIPTORS)), hard))
    for thread in threading.enumerate():
        _prefer(thread.native_id or 0)


def _prefer(thread: int) -> None:
    """Lowest real-time priority, or else niceness. Both belong to the thread, not the process (sched(7)).

    Measured on two cores, both busy: an attack at 18,000 files a second lost 3 files (3 to 4) before it was
    held with the first, up to 78 with the second. All our threads get it: one that holds the interpreter's
    lock must not wait for a core either. Processes we start do not inherit it.
    """
    try:
        os.sched_setscheduler(thread, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, _NICE)
