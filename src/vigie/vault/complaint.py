"""What restic complains of, as the error a user can do something about.

restic tells causes apart by its exit code since 0.17 only (10 no repository, 11 locked, 12 password); before,
all are 1 and the words on standard error must do. Words are looked for in the order of the table.
"""

import re
from dataclasses import dataclass

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

_LONGEST = 1000
"""Characters of restic's own words that are shown."""


@dataclass(frozen=True, slots=True)
class _Cause:
    error: type[VigieError]
    code: int | None
    """Exit code since 0.17; None where there is none of its own."""
    words: re.Pattern[str]
    remedy: str


_CAUSES = (
    _Cause(
        WrongPassword,
        12,
        re.compile(r"wrong password( or no key found)?|no key (could be )?found|an empty password"),
        "Check RESTIC_PASSWORD, RESTIC_PASSWORD_FILE or vault.password_file, and that its keys/ are there.",
    ),
    _Cause(
        RepositoryLocked,
        11,
        re.compile(r"already locked( exclusively)? by[^\n]*|unable to create lock[^\n]*"),
        "Wait for that run to end. Only if it is dead: restic unlock",
    ),
    _Cause(
        DiskFull,
        None,
        re.compile(r"[^\n]*(no space left on device|disk quota exceeded|Insufficient Storage)[^\n]*"),
        "Make room there; nothing that was kept before is touched.",
    ),
    _Cause(
        VigieError,
        None,
        re.compile(r"config file already exists|repository master key and config already initialized"),
        "It is ready for use: vigie vault keep",
    ),
    _Cause(
        NoSuchTarget,
        None,
        re.compile(r"no matching ID found[^\n]*|no snapshot found[^\n]*|multiple IDs with prefix[^\n]*"),
        "List the snapshots: vigie vault list",
    ),
    _Cause(
        NotPermitted,
        None,
        re.compile(r"[^\n]*(permission denied|403 Forbidden|401 Unauthorized|Access Denied)[^\n]*"),
        "Run as a user who may write there; an append-only server refuses to delete.",
    ),
    _Cause(
        NoSuchTarget,
        10,
        re.compile(
            r"(unable to open config file|repository does not exist|unable to start the sftp session|"
            r"unable to open repository[^\n]*not a directory|parsing repository location failed)[^\n]*"
        ),
        "Check where the repository is, or make one: vigie vault init",
    ),
    _Cause(
        RepositoryDamaged,
        None,
        re.compile(
            r"[^\n]*(repository contains errors|ciphertext verification failed|invalid data returned|"
            r"unexpected EOF|hash does not match|not found in (repository|index))[^\n]*"
        ),
        "Keep a copy of it as it is, then see restic's manual: troubleshooting.",
    ),
    _Cause(
        MissingProgram,
        None,
        re.compile(r"unknown (command|flag|shorthand flag)[^\n]*"),
        "Install a newer restic: apt-get install restic",
    ),
)


def complaint(repository: str, code: int, said: str) -> VigieError:
    """The error for a run of restic that ended with `code` and `said` this on standard error."""
    for cause in _CAUSES:
        found = cause.words.search(said)
        if found or (cause.code is not None and cause.code == code):
            problem = found[0].strip() if found else _shown(said)
            return cause.error(repository, problem.removeprefix("Fatal: ")[:_LONGEST], cause.remedy)
    if code < 0:
        return VigieError(repository, f"restic was ended by signal {-code}", "Run the same command again.")
    return VigieError(
        repository,
        f"restic gave up (exit code {code}): {_shown(said)}",
        "See restic's manual for what it says.",
    )


def _shown(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " / ".join(lines)[-_LONGEST:] or "it gave no reason"
