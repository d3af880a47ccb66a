"""The last lock on a worker: a seccomp filter that leaves it the system calls of judging, and no others.

Landlock keeps files shut and the network namespace is empty; this keeps the kernel itself out of reach of
whoever takes a worker over. What only an intruder asks for ends the process; anything else that is not on the
list fails with EPERM, because libraries try harmless things (a warning looks for its source line, say) and
a healthy file must not lose its verdict for that. The program is classic BPF as in seccomp(2) and
Documentation/userspace-api/seccomp_filter.rst; `docs/decisions/0008-seccomp-by-hand.md` says why by hand.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple


class Machine(NamedTuple):
    """A processor: how the kernel names it, and its system call numbers."""

    audit: int
    """AUDIT_ARCH_*, linux/audit.h."""
    allowed: tuple[int, ...]
    fatal: tuple[int, ...]
    newfstatat: int
    tgkill: int
    seccomp: int


# Numbers above 402 are the same everywhere (arch/*/entry/syscalls): Landlock, io_uring, pidfds, new mounts.
_FATAL_ANYWHERE = (
    424, 425, 426, 427,  # pidfd_send_signal, io_uring_setup, _enter, _register
    428, 429, 430, 431, 432, 433,  # open_tree, move_mount, fsopen, fsconfig, fsmount, fspick
    435, 438, 440,  # clone3, pidfd_getfd, process_madvise
)  # fmt: skip

MACHINES = {
    # asm/unistd_64.h
    "x86_64": Machine(
        0xC000003E,
        (
            0, 1, 3, 5, 8, 17, 20,  # read, write, close, fstat, lseek, pread64, writev
            9, 10, 11, 12, 25, 28,  # mmap, mprotect, munmap, brk, mremap, madvise
            13, 14, 15, 131,  # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
            7, 23, 270, 271,  # poll, select, pselect6, ppoll
            24, 35, 202, 219, 230,  # sched_yield, nanosleep, futex, restart_syscall, clock_nanosleep
            39, 186, 96, 228, 229, 318,  # getpid, gettid, gettimeofday, clock_gettime, _getres, getrandom
            44, 45, 46, 47,  # sendto, recvfrom, sendmsg, recvmsg: on the one channel there is
            60, 231,  # exit, exit_group
        ),
        (
            56, 57, 58, 59, 322,  # clone, fork, vfork, execve, execveat
            41, 42, 43, 49, 50, 53, 288,  # socket, connect, accept, bind, listen, socketpair, accept4
            62, 129, 200,  # kill, rt_sigqueueinfo, tkill
            101, 310, 311, 312,  # ptrace, process_vm_readv, process_vm_writev, kcmp
            105, 106, 113, 114, 117, 119, 126,  # setuid, setgid, setre*id, setres*id, capset
            155, 161, 165, 166, 272, 308,  # pivot_root, chroot, mount, umount2, unshare, setns
            169, 175, 176, 246, 313, 320,  # reboot, init_, delete_module, kexec_load, finit_module, …
            248, 249, 250, 298, 304, 321, 323,  # add_, request_key, keyctl, perf, handle, bpf, userfaultfd
            *_FATAL_ANYWHERE,
        ),
        262,
        234,
        317,
    ),
    # asm-generic/unistd.h
    "aarch64": Machine(
        0xC00000B7,
        (
            57, 62, 63, 64, 66, 67, 80,  # close, lseek, read, write, writev, pread64, fstat
            214, 215, 216, 222, 226, 233,  # brk, munmap, mremap, mmap, mprotect, madvise
            132, 134, 135, 139,  # sigaltstack, rt_sigaction, rt_sigprocmask, rt_sigreturn
            72, 73,  # pselect6, ppoll
            98, 101, 115, 124, 128,  # futex, nanosleep, clock_nanosleep, sched_yield, restart_syscall
            113, 114, 169, 172, 178, 278,  # clock_gettime, _getres, gettimeofday, getpid, gettid, getrandom
            206, 207, 211, 212,  # sendto, recvfrom, sendmsg, recvmsg
            93, 94,  # exit, exit_group
        ),
        (
            220, 221, 281,  # clone, execve, execveat
            198, 199, 200, 201, 202, 203, 242,  # socket, socketpair, bind, listen, accept, connect, accept4
            129, 130, 138,  # kill, tkill, rt_sigqueueinfo
            117, 270, 271, 272,  # ptrace, process_vm_readv, process_vm_writev, kcmp
            91, 143, 144, 145, 146, 147, 149,  # capset, setregid, setgid, setreuid, setuid, setres*id
            39, 40, 41, 51, 97, 268,  # umount2, mount, pivot_root, chroot, unshare, setns
            104, 105, 106, 142, 273, 294,  # kexec_load, init_, delete_module, reboot, finit_module, …
            217, 218, 219, 241, 265, 280, 282,  # add_, request_key, keyctl, perf, handle, bpf, userfaultfd
            *_FATAL_ANYWHERE,
        ),
        79,
        131,
        277,
    ),
}  # fmt: skip
"""The processors whose numbers we know. What judging calls was found with strace over the corpus."""

# linux/bpf_common.h, linux/seccomp.h; offsets in struct seccomp_data: nr, arch, instruction pointer, args.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_AT_EMPTY_PATH = 0x1000
_X32 = 0x40000000
"""The other numbers that an x86_64 kernel answers to (asm/unistd_x32.h): none of them is for us."""


class _Program(ctypes.Structure):
    """`struct sock_fprog` (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict(libc: Any, machine: str) -> bool:
    """Lock this process, every thread of it, for the rest of its life; False where that cannot be had.

    Needs `no_new_privs` (seccomp(2)).
    """
    known = MACHINES.get(machine)
    if known is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    code = program(known, os.getpid())
    given = _Program(len(code) // 8, code)
    return bool(libc.syscall(known.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(given)) == 0)


def program(machine: Machine, pid: int) -> bytes:
    """The filter, as an array of `struct sock_filter`: eight bytes an instruction.

    Two calls are looked into. `newfstatat` is how the C library asks for the size of an open file, and then
    carries AT_EMPTY_PATH; `tgkill` is how `abort` works: a process may signal itself, never another worker,
    which runs as the same user.
    """
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(machine, pid))


def _steps(machine: Machine, pid: int) -> Iterator[tuple[int, int, int, int]]:
    """Operation, how many steps to jump if true, if false, and the operand."""
    yield _LOAD, 0, 0, _ARCH
    yield _EQUAL, 1, 0, machine.audit
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _RETURN, 0, 0, _KILL
    for numbers, answer in ((machine.allowed, _ALLOW), (machine.fatal, _KILL)):
        for number in numbers:
            yield _EQUAL, 0, 1, number
            yield _RETURN, 0, 0, answer
    for number, argument, wanted, otherwise in (
        (machine.newfstatat, 3, _AT_EMPTY_PATH, _EPERM),
        (machine.tgkill, 0, pid, _KILL),
    ):
        yield _EQUAL, 0, 4, number
        yield _LOAD, 0, 0, _ARGUMENTS + 8 * argument  # the lower half: both machines are little endian
        yield _EQUAL, 0, 1, wanted
        yield _RETURN, 0, 0, _ALLOW
        yield _RETURN, 0, 0, otherwise
    yield _RETURN, 0, 0, _EPERM
