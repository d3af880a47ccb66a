"""What a location means to rclone, and the life of the rclone that is started."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import MissingProgram, NoSuchTarget
from vigie.sources.restic import ResticSource, bridge
from vigie.sources.restic.bridge import BridgedTransport
from vigie.sources.restic.remote import Remote, remote

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "fr-par",
    "B2_ACCOUNT_ID": "account",
    "B2_ACCOUNT_KEY": "key",
}


@pytest.mark.parametrize(
    ("location", "place", "some"),
    [
        (
            "s3:https://minio:9000/bucket/deep/path/",
            ":s3:bucket/deep/path",
            {
                "RCLONE_S3_PROVIDER": "Other",
                "RCLONE_S3_ENDPOINT": "https://minio:9000",
                "RCLONE_S3_ACCESS_KEY_ID": "id",
                "RCLONE_S3_SECRET_ACCESS_KEY": "secret",
                "RCLONE_S3_REGION": "fr-par",
            },
        ),
        ("s3:http://minio/bucket", ":s3:bucket", {"RCLONE_S3_ENDPOINT": "http://minio"}),
        ("s3:s3.amazonaws.com/bucket", ":s3:bucket", {"RCLONE_S3_PROVIDER": "AWS"}),
        (
            "s3://s3.eu-west-3.amazonaws.com/bucket",
            ":s3:bucket",
            {"RCLONE_S3_ENDPOINT": "https://s3.eu-west-3.amazonaws.com"},
        ),
        ("sftp:me@nas:/srv/repo", ":sftp:/srv/repo", {"RCLONE_SFTP_HOST": "nas", "RCLONE_SFTP_USER": "me"}),
        ("sftp:nas:repo", ":sftp:repo", {"RCLONE_SFTP_HOST": "nas"}),
        (
            "sftp://me@nas:2222//srv/repo",
            ":sftp:/srv/repo",
            {"RCLONE_SFTP_PORT": "2222", "RCLONE_SFTP_USER": "me"},
        ),
        ("b2:bucket:path", ":b2:bucket/path", {"RCLONE_B2_ACCOUNT": "account", "RCLONE_B2_KEY": "key"}),
        ("azure:box:/path", ":azureblob:box/path", {}),
        ("gs:bucket:/", ":gcs:bucket/", {}),
        ("swift:box:/path", ":swift:box/path", {}),
        ("rclone:nas:path", "nas:path", {}),
    ],
)
def test_locations_are_translated(location: str, place: str, some: dict[str, str]) -> None:
    found = remote(location, ENVIRONMENT)
    assert found is not None
    assert found.place == place
    assert found.environment.items() >= some.items()
    assert "secret" not in repr(found)


def test_host_keys_are_always_checked() -> None:
    found = remote("sftp:nas:repo", {})
    assert found is not None
    assert found.environment["RCLONE_SFTP_KNOWN_HOSTS_FILE"].endswith("/.ssh/known_hosts")


def test_amazon_itself_needs_no_endpoint() -> None:
    found = remote("s3:s3.amazonaws.com/bucket", {})
    assert found is not None
    assert "RCLONE_S3_ENDPOINT" not in found.environment


@pytest.mark.parametrize("location", ["/srv/repo", "repo", "local:x", "rest:http://host", "relative:path"])
def test_other_locations_are_not_for_rclone(location: str) -> None:
    assert remote(location, {}) is None


@pytest.mark.parametrize(
    "location",
    ["s3:", "s3:host", "s3:host/", "sftp:nas", "sftp:", "sftp:nas:", "sftp://[x/", "b2:", "rclone:nas"],
)
def test_half_a_location_is_refused(location: str) -> None:
    with pytest.raises(NoSuchTarget):
        remote(location, {})


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program called rclone, written in Python, before all others."""

    def put(text: str) -> None:
        path = tmp_path / "bin" / "rclone"
        path.parent.mkdir()
        path.write_text(f"#!{sys.executable} -I\nimport os, signal, sys, time\n{text}")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)

    return put


def test_without_rclone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram):
        ResticSource("rclone:nas:path", "pw")


@pytest.mark.parametrize("text", ["print('no such remote', file=sys.stderr); sys.exit(1)", "pass"])
def test_an_rclone_that_ends_is_quoted(program: Callable[[str], None], text: str) -> None:
    program(text)
    with pytest.raises(NoSuchTarget, match=r"no such remote|said nothing"):
        ResticSource("rclone:nas:path", "pw")


def test_an_rclone_that_never_serves_is_ended(
    program: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "_START", 1.0)
    monkeypatch.setattr(bridge, "_STOP", 0.2)
    program(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(NoSuchTarget, match="in time"):
        ResticSource("rclone:nas:path", "pw")
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text()}")


SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status}); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("serving on [http://127.0.0.1:%d/]" % server.server_port, file=sys.stderr, flush=True)
server.serve_forever()
"""


@pytest.mark.parametrize("status", [200, 404])
def test_an_rclone_that_lets_anybody_in_is_not_used(program: Callable[[str], None], status: int) -> None:
    program(SERVER.format(status=status))
    with pytest.raises(MissingProgram, match="guard"):
        ResticSource("rclone:nas:path", "pw")


def test_secrets_go_by_environment_and_rclone_ends_with_us(
    repository: Callable[[int, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")
    top = repository(2, "auto")
    started: list[Any] = []
    genuine = subprocess.Popen

    def spy(*arguments: Any, **options: Any) -> Any:
        started.append(genuine(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", spy)
    environment = dict(os.environ) | {"RESTIC_PASSWORD": "restic's own"}
    place = Remote(f":local:{top}", {"RCLONE_LOCAL_ENCODING": "None"})
    transport = BridgedTransport(place, environment)
    (child,) = started
    command = Path(f"/proc/{child.pid}/cmdline").read_bytes()
    given = dict(
        item.split(b"=", 1) for item in Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0") if item
    )
    assert len(transport.names("snapshots")) == 2
    assert given[b"RCLONE_PASS"] not in command
    assert given[b"RCLONE_USER"] not in command
    assert b"RESTIC_PASSWORD" not in given
    assert given[b"RCLONE_LOCAL_ENCODING"] == b"None"
    del transport
    deadline = time.monotonic() + 4
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.poll() is not None


def test_rclone_is_told_of_certificates_in_its_own_way_and_of_no_secret_of_restic() -> None:
    environment = {"RESTIC_PASSWORD": "secret", "AWS_CA_BUNDLE": "/aws.pem", "PATH": "/bin"}
    assert bridge._inherited(environment) == {"PATH": "/bin", "RCLONE_CA_CERT": "/aws.pem"}
    named = bridge._inherited({**environment, "RESTIC_CACERT": "/restic.pem"})
    assert named["RCLONE_CA_CERT"] == "/restic.pem"
    assert bridge._inherited({"RCLONE_CA_CERT": "/own.pem", "AWS_CA_BUNDLE": "/aws.pem"}) == {
        "RCLONE_CA_CERT": "/own.pem"
    }


def test_a_store_that_refuses_is_not_called_empty(
    s3: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")
    location = s3(tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for identity, said in (
        ("somebody else", "refuses or fails"),
        ("vigie-id", "no restic repository is there"),
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", identity)
        with pytest.raises(NoSuchTarget, match=said):
            ResticSource(location, "pw")


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("NewFs: couldn't connect SSH: ssh: handshake failed: knownhosts: key is unknown", "Connect once"),
        ("couldn't parse known_hosts_file: open /x: no such file or directory", "Connect once"),
        ("NewFs: couldn't connect SSH: ssh: unable to authenticate", "ssh-add"),
        ("couldn't connect to ssh-agent: SSH agent requested but", "ssh-add"),
        ("failed to parse private key file: ssh: this private key is passphrase protected", "ssh-add"),
        ("didn't find section in config file", "Check the location"),
    ],
)
def test_the_last_words_of_rclone_are_shown_with_a_remedy(
    program: Callable[[str], None], words: str, remedy: str
) -> None:
    line = f'2026/11/24 00:32:51 Failed to create file system for ":sftp:repo": {words}'
    program(f"print({line!r}, file=sys.stderr); sys.exit(1)")
    with pytest.raises(NoSuchTarget) as raised:
        ResticSource("sftp:me@nas:repo", "pw")
    assert raised.value.subject == "sftp:me@nas:repo"
    assert raised.value.problem == f"rclone cannot open it: {words.removeprefix('NewFs: ')}"
    assert remedy in raised.value.remedy


def test_the_key_that_ssh_would_take_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()

    def key(environment: dict[str, str]) -> str | None:
        found = remote("sftp:nas:repo", environment)
        assert found is not None
        return found.environment.get("RCLONE_SFTP_KEY_FILE")

    assert key({}) is None
    for name in ("id_ed25519", "id_rsa"):
        (tmp_path / ".ssh" / name).touch()
        assert key({}) == str(tmp_path / ".ssh" / name)
    for name in ("SSH_AUTH_SOCK", "RCLONE_SFTP_PASS", "RCLONE_SFTP_KEY_FILE"):
        assert key({name: "given"}) is None
