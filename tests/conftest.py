"""Fixtures that many rooms need: where the shared corpus is, and what this machine offers."""

import base64
import hashlib
import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from vigie.sources.restic.crypto import Key

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell's background job, which CI may be, ignores Ctrl-C, and so would all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What no test names a state folder for goes to one of this run, not to that of the machine."""
    os.environ["VIGIE_STATE"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def same_dice(request: pytest.FixtureRequest) -> None:
    """The dice of a test's module fall the same in every test, whatever was run before it."""
    for name, value in vars(request.module).items():
        if isinstance(value, random.Random):
            value.seed(name)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The shared corpus, read in place; the test is skipped where it is missing."""
    if not CORPUS.is_dir():
        pytest.skip("the shared corpus is not beside this checkout")
    return CORPUS


@pytest.fixture
def as_root() -> None:
    """Skip where the test is not run by root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


def quicken(repository: Path, password: str) -> None:
    """Seal the key of a restic repository again, with a key derivation that takes no time.

    restic spends about half a second on it, on purpose, each time a repository is opened: for tests that
    open one hundreds of times that is minutes. Everything else stays as restic made it.
    """
    [path] = (repository / "keys").iterdir()
    document = json.loads(path.read_bytes())
    plain = _key(document, password).open(base64.b64decode(document["data"]))
    document |= {"N": 16, "r": 1, "p": 1}
    quick = _key(document, password)
    nonce = os.urandom(16)
    encryptor = Cipher(AES(quick.encrypt), CTR(nonce)).encryptor()
    body = encryptor.update(plain) + encryptor.finalize()
    tag = quick.authenticator(nonce, body).finalize()
    document["data"] = base64.b64encode(nonce + body + tag).decode()
    raw = json.dumps(document).encode()
    path.unlink()
    (path.parent / hashlib.sha256(raw).hexdigest()).write_bytes(raw)


def _key(document: dict[str, Any], password: str) -> Key:
    derived = hashlib.scrypt(
        password.encode(),
        salt=base64.b64decode(document["salt"]),
        n=document["N"],
        r=document["r"],
        p=document["p"],
        maxmem=1 << 28,
        dklen=64,
    )
    return Key(derived[:32], derived[32:48], derived[48:])


@pytest.fixture(scope="session")
def quick_key() -> Callable[[Path, str], None]:
    """`quicken`, for the test folders below."""
    return quicken
