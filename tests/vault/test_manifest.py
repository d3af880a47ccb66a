"""The signed manifest: what a run wrote is recognised by the next, and by nobody else's key."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie.errors import JournalBroken, NoSuchTarget, NotPermitted, VigieError
from vigie.vault import Destination
from vigie.vault.manifest import KEY, NAME, SIGNATURE, SUMS, Manifest, Record
from vigie.vault.manifest_check import check_manifest
from vigie.vault.manifest_key import PublicKey, SigningKey, known_key, signing_key

BEGINS = {"source": "restic:/srv/v"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return signing_key(tmp_path_factory.mktemp("state"))


def body(name: str, data: bytes) -> dict[str, Any]:
    return {
        "path": name,
        "to": name,
        "outcome": "restored",
        "snapshot": "s1",
        "sha256": hashlib.sha256(data).hexdigest(),
        "verdict": "intact",
        "content": "c" + name,
        "stamp": [1, 2],
    }


def write(folder: Path, key: SigningKey, *names: str, end: bool = True) -> Path:
    """A manifest of a run that handed back these files, each with its own name in it."""
    with Destination(str(folder)) as destination, Manifest(destination, key, BEGINS) as manifest:
        for name in names:
            path = folder / name.strip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.fsencode(name))
        manifest.add_all(body(name, os.fsencode(name)) for name in names)
        if end:
            manifest.end({"ended": "now"})
    return folder / NAME


def records(folder: Path, key: SigningKey) -> dict[str, Record]:
    with Destination(str(folder)) as destination, Manifest(destination, key, BEGINS) as manifest:
        return manifest.records


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "a" / "state"
    assert known_key(state) is None
    first = signing_key(state)
    assert (state / "manifest.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(state) == ["manifest.key"]
    again = known_key(state)
    assert again is not None
    assert again.fingerprint == first.public.fingerprint == signing_key(state).public.fingerprint
    assert first.public.verifies(first.sign(b"a"), b"a")
    assert not first.public.verifies(first.sign(b"a"), b"b")


@pytest.mark.parametrize("kind", ["text", "rsa", "folder"])
def test_what_is_no_key_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "manifest.key"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("hello")
    else:
        subprocess.run(["openssl", "genrsa", "-out", str(path), "1024"], check=True, capture_output=True)
    with pytest.raises(NotPermitted if kind == "folder" else VigieError):
        signing_key(tmp_path)
    assert known_key(tmp_path) is None
    assert PublicKey.of_pem(b"hello") is None


def test_the_next_run_knows_what_this_one_handed_back(tmp_path: Path, key: SigningKey) -> None:
    write(tmp_path, key, "/srv/a", "/srv/caf\udce9")
    found = records(tmp_path, key)
    assert found["/srv/a"] == Record("c/srv/a", hashlib.sha256(b"/srv/a").hexdigest(), "intact", "s1", (1, 2))
    assert len(found) == 2
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_torn_tail_is_taken_off(tmp_path: Path, key: SigningKey) -> None:
    path = write(tmp_path, key, "a", end=False)
    whole = path.read_bytes()
    for tail in (b'{"path": "x"', json.dumps(body("b", b"")).encode() + b"\n", b'{"chain": "'):
        path.write_bytes(whole + tail)
        assert list(records(tmp_path, key)) == ["a"]
        assert path.read_bytes().startswith(whole + b'{"vigie"')


def test_cut_anywhere_it_is_gone_on_with(tmp_path: Path, key: SigningKey) -> None:
    path = write(tmp_path, key, "a", "b")
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        assert records(tmp_path, key).keys() <= {"a", "b"}
        assert check_manifest(str(tmp_path), key.public).problems == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_byte_that_was_changed_is_seen(tmp_path: Path, key: SigningKey, data: st.DataObject) -> None:
    path = write(tmp_path, key, "a")
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 2))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    found = check_manifest(str(tmp_path))
    assert found.problems or not found.ended
    shutil.rmtree(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=400))
def test_garbage_is_no_manifest(tmp_path: Path, key: SigningKey, garbage: bytes) -> None:
    (tmp_path / NAME).write_bytes(garbage)
    found = check_manifest(str(tmp_path), key.public)
    assert (found.files, found.ended) == (0, False)
    if b"\n" in garbage:
        with pytest.raises(JournalBroken):
            records(tmp_path, key)


@pytest.mark.parametrize(
    "line", [b"[" * 10**5, b"x" * (2 << 20), b'{"chain": 1}', b'{"chain":"","signature":"!"}']
)
def test_hostile_lines(tmp_path: Path, key: SigningKey, line: bytes) -> None:
    path = write(tmp_path, key, "a", end=False)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(JournalBroken):
        records(tmp_path, key)
    assert len(check_manifest(str(tmp_path), key.public).problems) == 1


def test_somebody_elses_manifest_is_left_alone(tmp_path: Path, key: SigningKey) -> None:
    path = write(tmp_path / "to", key, "a")
    before = path.read_bytes()
    with pytest.raises(JournalBroken, match="the seal does not hold"):
        records(tmp_path / "to", signing_key(tmp_path))
    assert path.read_bytes() == before
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(NotPermitted):
        records(tmp_path / "to", key)


def test_files_are_compared(tmp_path: Path, key: SigningKey) -> None:
    write(tmp_path, key, "/d/a", "/d/b", "/d/c", "e")
    seen: list[int] = []
    found = check_manifest(str(tmp_path), on_file=lambda: seen.append(1))
    assert (found.files, found.problems, found.ended, len(seen)) == (4, [], True, 4)
    assert found.sources == ["restic:/srv/v"]
    assert found.key.fingerprint == key.public.fingerprint
    (tmp_path / "d" / "a").write_bytes(b"/d/A")
    (tmp_path / "d" / "b").unlink()
    found = check_manifest(str(tmp_path))
    assert [(item.path, item.reason) for item in found.problems] == [
        ("/d/a", "its bytes are not those that were handed back"),
        ("/d/b", "it vanished"),
    ]


def test_a_signature_of_another_key_is_seen(tmp_path: Path, key: SigningKey) -> None:
    write(tmp_path, key, "a")
    (tmp_path / SIGNATURE).write_bytes(bytes(64))
    assert [item.path for item in check_manifest(str(tmp_path)).problems] == [SIGNATURE]
    (tmp_path / KEY).write_bytes(signing_key(tmp_path).public.pem)
    assert NAME in [item.path for item in check_manifest(str(tmp_path)).problems]


def test_what_cannot_be_checked(tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(NoSuchTarget, match="no manifest"):
        check_manifest(str(tmp_path))
    write(tmp_path, key, "a", end=False)
    with pytest.raises(NoSuchTarget, match="is not beside it"):
        check_manifest(str(tmp_path))
    assert not check_manifest(str(tmp_path), key.public).ended
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).symlink_to("/etc/passwd")
    with pytest.raises(NotPermitted):
        check_manifest(str(tmp_path))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_alone_checks_it(tmp_path: Path, key: SigningKey) -> None:
    """The lines of docs/recover.md."""
    write(tmp_path, key, "a")

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)

    verify = f"openssl pkeyutl -verify -pubin -inkey {KEY} -rawin -in {SUMS} -sigfile {SIGNATURE}"
    assert shell(verify).returncode == 0
    assert shell(f"sha256sum -c {SUMS}").returncode == 0
    printed = shell(f"openssl pkey -pubin -in {KEY} -outform DER | openssl dgst -sha256 -r").stdout.split()[0]
    assert printed == key.public.fingerprint
    (tmp_path / SUMS).write_text("0" * 64 + f"  {NAME}\n")
    assert shell(verify).returncode != 0


def test_seals_are_what_they_say(tmp_path: Path, key: SigningKey) -> None:
    path = write(tmp_path, key, "a")
    before = b""
    for line in path.read_bytes().splitlines(keepends=True):
        seal = json.loads(line)
        if "chain" in seal:
            assert seal["chain"] == hashlib.sha256(before).hexdigest()
            message = b"vigie manifest seal " + seal["chain"].encode()
            assert key.public.verifies(base64.b64decode(seal["signature"]), message)
        before += line


def test_the_name_is_kept_for_it(tmp_path: Path, key: SigningKey) -> None:
    write(tmp_path, key, "a")
    with Destination(str(tmp_path)) as destination, pytest.raises(Exception, match="kept for the manifest"):
        destination.place("/" + NAME)
