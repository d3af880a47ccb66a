"""restic's own words, as errors with a remedy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import (
    DiskFull,
    MissingProgram,
    NoSuchTarget,
    NotPermitted,
    RepositoryDamaged,
    RepositoryLocked,
    VigieError,
    WrongPassword,
)
from vigie.vault.complaint import complaint

HELD = "repository is already locked exclusively by PID 7685 on vm by root (UID 0, GID 0)"


FULL = "Fatal: unable to save snapshot: write /r/data/ff: no space left on device"
ABSENT = "Fatal: unable to open config file: stat x/config: no such file or directory\nIs there a repository"
REFUSED = "Fatal: unable to open config file: dial tcp 127.0.0.1:9: connect: connection refused"
CAUSES: list[tuple[int, str, type[VigieError], str]] = [
    (1, "Fatal: wrong password or no key found", WrongPassword, "wrong password"),
    (12, "Fatal: in other words", WrongPassword, "in other words"),
    (1, f"unable to create lock in backend: {HELD}\nlock was created", RepositoryLocked, "PID 7685 on vm"),
    (11, "", RepositoryLocked, "no reason"),
    (1, ABSENT, NoSuchTarget, "stat x/config"),
    (10, "Fatal: repository does not exist: unable to…", NoSuchTarget, "does not exist"),
    (1, REFUSED, NoSuchTarget, "refused"),
    (
        1,
        "Fatal: unable to open repository at f: ReadDir: open keys: not a directory",
        NoSuchTarget,
        "keys",
    ),
    (1, "Fatal: unable to open repository at sftp:x: unable to start the sftp session", NoSuchTarget, "sftp"),
    (1, "Fatal: parsing repository location failed: invalid backend", NoSuchTarget, "invalid backend"),
    (1, 'invalid id "ab": no matching ID found for prefix "ab"', NoSuchTarget, 'prefix "ab"'),
    (1, FULL, DiskFull, "unable to save"),
    (1, "Fatal: create repository at r failed: config file already exists", VigieError, "already exists"),
    (1, "Fatal: unable to open repository: open /r/keys: permission denied", NotPermitted, "denied"),
    (1, "error for tree 31\nFatal: repository contains errors", RepositoryDamaged, "contains errors"),
    (1, "Load(<index/ab>): invalid data returned", RepositoryDamaged, "invalid data"),
    (1, "unknown flag: --repository-version", MissingProgram, "--repository-version"),
    (-9, "", VigieError, "signal 9"),
    (1, "line one\n\n line two ", VigieError, "line one / line two"),
]


@pytest.mark.parametrize(("code", "said", "expected", "words"), CAUSES)
def test_causes(code: int, said: str, expected: type[VigieError], words: str) -> None:
    error = complaint("repo", code, said)
    assert type(error) is expected
    assert words in error.problem
    assert not error.problem.startswith("Fatal")
    assert error.remedy


@settings(max_examples=100, deadline=None)
@given(st.integers(-64, 255), st.text())
def test_any_words(code: int, said: str) -> None:
    error = complaint("repo", code, said * 50)
    assert len(error.problem) < 1200
    assert error.subject == "repo"
