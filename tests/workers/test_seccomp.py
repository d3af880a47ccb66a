import ctypes
import faulthandler
import os
import platform
import signal
import socket
import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from vigie.workers import limits, seccomp

ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x00050001


def answer(code: bytes, audit: int, number: int, *arguments: int) -> int:
    """What the kernel would do with a system call: the four instructions of classic BPF that we use."""
    data = struct.pack("<IIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("=HBBI", code))
    at = register = 0
    while True:
        operation, if_true, if_false, operand = steps[at]
        at += 1
        if operation == 0x20:
            register = int.from_bytes(data[operand : operand + 4], "little")
        elif operation == 0x06:
            return int(operand)
        else:
            met = register == operand if operation == 0x15 else register >= operand
            assert operation in (0x15, 0x35)
            at += if_true if met else if_false


@pytest.mark.parametrize("name", list(seccomp.MACHINES))
def test_the_filter_answers_as_its_table_says(name: str) -> None:
    machine = seccomp.MACHINES[name]
    code = seccomp.program(machine, 4711)
    assert len(code) // 8 < 4096  # BPF_MAXINSNS
    assert not set(machine.allowed) & set(machine.fatal)
    for number in machine.allowed:
        assert answer(code, machine.audit, number) == ALLOW
    for number in machine.fatal:
        assert answer(code, machine.audit, number) == KILL
    special = {machine.newfstatat, machine.tgkill}
    others = set(range(600)) - set(machine.allowed) - set(machine.fatal) - special
    assert all(answer(code, machine.audit, number) == EPERM for number in others)
    assert answer(code, machine.audit, machine.newfstatat, 3, 0, 0, 0x1000) == ALLOW
    assert answer(code, machine.audit, machine.newfstatat, 3, 0, 0, 0) == EPERM
    assert answer(code, machine.audit, machine.tgkill, 4711) == ALLOW
    assert answer(code, machine.audit, machine.tgkill, 4712) == KILL


@pytest.mark.parametrize("name", list(seccomp.MACHINES))
def test_another_architecture_ends_the_process(name: str) -> None:
    machine = seccomp.MACHINES[name]
    code = seccomp.program(machine, 1)
    i386 = 0x40000003
    assert answer(code, i386, machine.allowed[0]) == KILL
    assert answer(code, machine.audit, 0x40000000 | machine.allowed[0]) == KILL


def test_what_cannot_be_had_is_reported() -> None:
    libc = SimpleNamespace(syscall=lambda *_: -1)
    assert not seccomp.restrict(libc, "x86_64")
    assert not seccomp.restrict(libc, "riscv64")
    libc = SimpleNamespace(syscall=lambda number, *_: number - 277)
    assert seccomp.restrict(libc, "aarch64")
    assert not seccomp.restrict(libc, "x86_64")


def confined(deed: Callable[[], object]) -> int:
    """How a process ends that confines itself and does something: 0 done, 42 refused, below zero killed."""
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()
        try:
            limits.confine(256 << 20)
            deed()
        except OSError:
            os._exit(42)
        except BaseException:  # noqa: BLE001 - a child of a test must not go on as a second pytest
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read_and_measured(descriptor: int) -> Callable[[], object]:
    return lambda: (os.fstat(descriptor), os.pread(descriptor, 10, 0), bytearray(50 << 20), os.urandom(8))


@pytest.fixture
def supported() -> None:
    if platform.machine() not in seccomp.MACHINES:
        pytest.skip("no table of system calls for this processor")


@pytest.mark.usefixtures("supported")
@pytest.mark.parametrize(
    "deed",
    [
        lambda: os.execv("/bin/true", ["true"]),
        os.fork,
        lambda: socket.socket(socket.AF_INET),
        socket.socketpair,
        lambda: os.kill(os.getppid(), 0),
        lambda: os.setuid(0),
        lambda: ctypes.CDLL(None).ptrace(0, 0, 0, 0),
        lambda: ctypes.CDLL(None).syscall(425, 1, 0),  # io_uring_setup
        lambda: ctypes.CDLL(None).syscall(424, 0, 0, 0, 0),  # pidfd_send_signal
    ],
)
def test_what_only_an_intruder_does_ends_the_process(deed: Callable[[], object]) -> None:
    assert confined(deed) == -signal.SIGSYS


@pytest.mark.usefixtures("supported")
@pytest.mark.parametrize(
    "deed",
    [
        lambda: os.open("/etc/hostname", os.O_RDONLY),
        lambda: os.open("/tmp/x", os.O_WRONLY | os.O_CREAT),
        lambda: os.stat("/etc/hostname"),
        lambda: os.listdir("/"),
        lambda: os.unlink("/tmp/x"),
        os.pipe,
        lambda: os.memfd_create("x"),
    ],
)
def test_what_a_library_may_try_fails(deed: Callable[[], object]) -> None:
    assert confined(deed) == 42


@pytest.mark.usefixtures("supported")
def test_what_judging_takes_is_left() -> None:
    descriptor = os.memfd_create("test")
    os.write(descriptor, b"0123456789")
    assert confined(read_and_measured(descriptor)) == 0
    os.close(descriptor)
    assert confined(os.abort) == -signal.SIGABRT
