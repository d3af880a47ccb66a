"""Who was started by whom, also of processes that have ended: the kernel's process event connector.

A script that starts one process a file is gone from /proc, child after child, before anybody can look. The
connector (cn_proc, netlink(7); needs CAP_NET_ADMIN, in the first user and pid namespace) tells each fork(2)
with both pids. A filter in the kernel lets only forks of processes through, no threads, execs and exits; and
nobody is woken by them: they wait in the socket until they are asked for, or for the second to pass.

Written after <linux/cn_proc.h>, <linux/connector.h>, <linux/netlink.h> and <linux/filter.h>.
"""

import ctypes
import errno
import os
import socket
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass

from vigie.errors import NotPermitted, VigieError

# <linux/netlink.h>, <linux/connector.h>, <linux/cn_proc.h>
_NETLINK_CONNECTOR = 11
_NLMSG = struct.Struct("=IHHII")  # nlmsg_len, nlmsg_type, nlmsg_flags, nlmsg_seq, nlmsg_pid
_NLMSG_DONE = 3
_CN = struct.Struct("=IIIIHH")  # id.idx, id.val, seq, ack, len, flags
_CN_IDX_PROC, _CN_VAL_PROC = 1, 1
_LISTEN, _IGNORE = 1, 2  # PROC_CN_MCAST_LISTEN, PROC_CN_MCAST_IGNORE
_HEADERS = _NLMSG.size + _CN.size
_FORK = struct.Struct("=IIQIIII")  # what, cpu, timestamp_ns, parent_pid, parent_tgid, child_pid, child_tgid
_PROC_EVENT_FORK = 1
_CHILD_PID, _CHILD_TGID = _HEADERS + 24, _HEADERS + 28
# <linux/filter.h>: a classic filter. It takes what it loads to be in the network's order.
_LOAD, _TO_X, _EQUALS, _EQUALS_X, _RETURN = 0x20, 0x07, 0x15, 0x1D, 0x06
_INSTRUCTION = struct.Struct("=HBBI")
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33

_WAITING = 8 << 20
"""Bytes of events that may wait in the kernel: some 10,000 forks."""
_KNOWN = 32_768
"""Processes of which it is remembered who started them; of these, those started last."""
_AT_ONCE = 16_384
"""Events taken in one call."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Birth:
    """A process was started."""

    parent: int
    started: int
    """Clock ticks after boot, as in /proc/PID/stat; it may be one more than there."""


class ProcConnector:
    """Remembers who started whom.

    Raises:
        NotPermitted: without CAP_NET_ADMIN, or in a container.
        VigieError: this kernel does not do it.
    """

    def __init__(self) -> None:
        self._births: OrderedDict[int, tuple[int, int]] = OrderedDict()
        """Pid -> pid of the parent, and when (ns, boot clock)."""
        try:
            self._socket = _listening()
        except OSError as error:
            words = "who started a process that has ended is not known: " + (error.strerror or "")
            if error.errno in (errno.EPERM, errno.EACCES):
                raise NotPermitted("proc connector", words, "Run as root (CAP_NET_ADMIN).") from error
            raise VigieError(
                "proc connector", words, "All other processes are named all the same."
            ) from error

    def catch_up(self) -> None:
        """Take what waits. Call it once a second, or more is lost than need be."""
        offset = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        receive, births = self._socket.recvfrom, self._births
        for _ in range(_AT_ONCE):
            try:
                data, (sender, _group) = receive(256)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: some were lost. What is known may be of pids given again since.
                births.clear()
                continue
            if sender == 0 and (fork := parse(data)) is not None:
                child, parent, time_ns = fork
                births[child] = (parent, time_ns + offset)
                births.move_to_end(child)
                if len(births) > _KNOWN:
                    births.popitem(last=False)

    def of(self, pid: int) -> Birth | None:
        """Who started the last process of that pid, as far as `catch_up` has taken it."""
        found = self._births.get(pid)
        return Birth(found[0], found[1] * _TICKS // 10**9) if found is not None else None

    def close(self) -> None:
        """Listen no more."""
        if self._socket.fileno() >= 0:
            self._socket.send(_request(_IGNORE))
            self._socket.close()


def parse(data: bytes) -> tuple[int, int, int] | None:
    """Child, parent and time (ns, monotonic clock) of the fork that a message tells, if it tells one."""
    if len(data) < _HEADERS + _FORK.size:
        return None
    index, value, *_ = _CN.unpack_from(data, _NLMSG.size)
    what, _, time_ns, _, parent, thread, child = _FORK.unpack_from(data, _HEADERS)
    if (index, value, what) != (_CN_IDX_PROC, _CN_VAL_PROC, _PROC_EVENT_FORK) or thread != child:
        return None
    return child, parent, time_ns


def _listening() -> socket.socket:
    family = socket.AF_NETLINK
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    made = socket.socket(family, kind, _NETLINK_CONNECTOR)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _WAITING)
        _filter(made)
        made.bind((0, _CN_IDX_PROC))
        made.send(_request(_LISTEN))
    except OSError:
        made.close()
        raise
    return made


def _request(what: int) -> bytes:
    body = struct.pack("=I", what)
    length = _HEADERS + len(body)
    header = _NLMSG.pack(length, _NLMSG_DONE, 0, 0, os.getpid())
    return header + _CN.pack(_CN_IDX_PROC, _CN_VAL_PROC, 0, 0, len(body), 0) + body


def _filter(made: socket.socket) -> None:
    """Forks of processes only: `what` says fork, and the child leads its threads."""
    fork = socket.htonl(_PROC_EVENT_FORK)
    program = b"".join(
        _INSTRUCTION.pack(*instruction)
        for instruction in (
            (_LOAD, 0, 0, _HEADERS),
            (_EQUALS, 0, 4, fork),
            (_LOAD, 0, 0, _CHILD_PID),
            (_TO_X, 0, 0, 0),
            (_LOAD, 0, 0, _CHILD_TGID),
            (_EQUALS_X, 1, 0, 0),
            (_RETURN, 0, 0, 0),
            (_RETURN, 0, 0, 0xFFFF_FFFF),
        )
    )
    held = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and a pointer to them, aligned.
    fprog = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(held))
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
