"""The manifest: what was handed back, from which snapshot, with which verdict; signed as it grows.

`vigie-manifest.jsonl` at the top of the destination holds one JSON object a line:

- `{"vigie", "source", "started", "key"}` begins a run;
- `{"path", "outcome", "snapshot", …}` is a document (`Handed.record`); where it is there, `stamp` is its
  inode and change time, by which the next run recognises it without reading it;
- `{"ended", "summary"}` ends a run that was not killed;
- `{"chain", "signature"}` is a seal: the SHA-256 of all bytes before that line, and its Ed25519 signature.

Each group of lines is written together with its seal. A run that is killed leaves whole groups, and perhaps a
torn tail, which the next run takes off. A run that ends writes three small files beside it for an auditor who
has nothing but openssl: `.sha256` (as sha256sum writes it), `.sig` (the signature of that), `.pem` (the key).
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, NamedTuple, Self

from vigie.errors import JournalBroken
from vigie.vault.destination import Destination, write
from vigie.vault.manifest_key import PublicKey, SigningKey

NAME = "vigie-manifest.jsonl"
SUMS, SIGNATURE, KEY = "vigie-manifest.sha256", "vigie-manifest.sig", "vigie-manifest.pem"
LONGEST = 1 << 20
"""Bytes of a line; a path has 4096 at most."""
MOST = 65_536
"""Lines between two seals."""
_GROUP = 1024
"""Lines that are written with one seal."""
_SEAL = b"vigie manifest seal "
"""What is signed in a seal begins so, and cannot be taken for anything else that the key signs."""
_REMEDY = "Keep it as evidence: move it away, or give another folder with --to."


class Record(NamedTuple):
    """What an earlier run said of a file that it handed back."""

    content: str
    """Identity of the version (`content_of`)."""
    sha256: str
    verdict: str
    snapshot: str
    stamp: tuple[int, int]


class Reading:
    """Goes through a manifest, group by group; afterwards says how far it is good."""

    def __init__(self, fd: int, key: PublicKey) -> None:
        self._fd = fd
        self._key = key
        self.good = 0
        """Bytes up to the end of the last seal that holds."""
        self.chain = hashlib.sha256()
        """Of these."""
        self.whole = hashlib.sha256()
        """Of the file."""
        self.problem = ""
        """Why it is not good to its end; a torn tail is none."""

    def groups(self) -> Iterator[list[dict[str, Any]]]:
        """The documents and other lines of each group, once its seal was seen to hold."""
        group: list[dict[str, Any]] = []
        seen = 0
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            while line := file.readline(LONGEST):
                if not line.endswith(b"\n"):
                    if len(line) >= LONGEST:
                        self.problem = f"byte {seen}: a line without end"
                    self.whole.update(line)
                    return
                body = _parsed(line)
                if body is None or len(group) >= MOST:
                    self.problem = f"byte {seen}: this is not a line of a manifest"
                    return
                if "chain" in body:
                    if not _holds(body, self.whole.hexdigest(), self._key):
                        self.problem = f"byte {seen}: the seal does not hold: what is before it was changed"
                        return
                    yield group
                    group = []
                self.whole.update(line)
                seen += len(line)
                if "chain" in body:
                    self.good, self.chain = seen, self.whole.copy()
                else:
                    group.append(body)


class Manifest:
    """The manifest of a destination, open for adding to. What an earlier run handed back is in `records`.

    Raises:
        JournalBroken: one is there already that this installation did not sign, or that was changed since.
        DiskFull, NotPermitted: it cannot be written.
    """

    def __init__(self, destination: Destination, key: SigningKey, begins: dict[str, Any]) -> None:
        self._destination = destination
        self._key = key
        self.records: dict[str, Record] = {}
        self._stack = ExitStack()
        self._fd = self._stack.enter_context(destination.own(NAME, os.O_RDWR | os.O_CREAT))
        try:
            reading = Reading(self._fd, key.public)
            for group in reading.groups():
                for body in group:
                    self._remember(body)
            if reading.problem:
                raise JournalBroken(f"{destination.path}/{NAME}", reading.problem, _REMEDY)  # noqa: TRY301 (reads best)
            os.ftruncate(self._fd, reading.good)
            os.lseek(self._fd, 0, os.SEEK_END)
            self._chain = reading.chain
            self.add([{"vigie": 1, **begins, "key": key.public.fingerprint}])
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, bodies: list[dict[str, Any]]) -> None:
        """Add a group of lines and its seal. On the disk only after the next `Destination.sync`.

        Raises:
            OSError: it cannot be written.
        """
        data = b"".join(json.dumps(body, separators=(",", ":")).encode() + b"\n" for body in bodies)
        self._chain.update(data)
        chain = self._chain.hexdigest()
        signature = base64.b64encode(self._key.sign(_SEAL + chain.encode())).decode()
        seal = json.dumps({"chain": chain, "signature": signature}, separators=(",", ":")).encode() + b"\n"
        self._chain.update(seal)
        write(self._fd, data + seal)

    def add_all(self, bodies: Iterable[dict[str, Any]]) -> None:
        """Add many lines, each group with its seal; none is written for none.

        Raises:
            OSError: they cannot be written.
        """
        rest = iter(bodies)
        while group := list(islice(rest, _GROUP)):
            self.add(group)

    def end(self, body: dict[str, Any]) -> None:
        """Add the last line of a run, and write what an auditor checks with openssl alone.

        Raises:
            OSError, DiskFull, NotPermitted: it cannot be written.
        """
        self.add([body])
        os.fsync(self._fd)
        sums = f"{self._chain.hexdigest()}  {NAME}\n".encode()
        files = ((SUMS, sums), (SIGNATURE, self._key.sign(sums)), (KEY, self._key.public.pem))
        for name, data in files:
            with self._destination.own(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
                write(fd, data)
                os.fsync(fd)

    def _remember(self, body: dict[str, Any]) -> None:
        stamp = body.get("stamp")
        if stamp is None:
            return
        record = Record(
            body["content"], body["sha256"], body["verdict"], body["snapshot"], (stamp[0], stamp[1])
        )
        self.records[body["to"]] = record


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _holds(body: dict[str, Any], chain: str, key: PublicKey) -> bool:
    try:
        signature = base64.b64decode(body["signature"], validate=True)
    except (KeyError, TypeError, ValueError):
        return False
    return body["chain"] == chain and key.verifies(signature, _SEAL + chain.encode())
