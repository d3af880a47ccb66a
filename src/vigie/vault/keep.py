"""Keep: judge every file, then back all of it up, and say in the repository itself what was found.

What is encrypted is stored as well, as evidence and because the verdict may be wrong; it is never taken for a
healthy version, since `vigie recover` judges again. The tags warn whoever uses restic alone. Judging comes
first, so a file that changes between the two is stored in its newer form, unjudged.
"""

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vigie.errors import VigieError
from vigie.journal import Journal
from vigie.model import Entry, Likeness, Skipped, State, Verdict
from vigie.sources.folder import walk
from vigie.vault.restic import Restic, message
from vigie.vault.stages import JudgeAll

TAG = "vigie"
ENCRYPTED_TAG = "vigie-encrypted"
FILES_TAG = "vigie-files="
COUNT_TAG = "vigie-encrypted="

INCOMPLETE = 3
"""restic's exit code where it could not read some files; the snapshot is there."""
_MOST_NAMED = 1000
"""Files restic could not read that are named one by one."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept."""

    snapshot: str
    """As restic gives it: 8 characters before 0.17, all of it since."""
    files: int
    """Judged or skipped; those left out are not among them."""
    verdicts: dict[State, int]
    unread: tuple[Skipped, ...]
    """What restic could not read."""
    complete: bool
    """Whether nothing was skipped and restic read everything."""
    added: int
    """Bytes the repository grew by, before compression."""


def keep(
    restic: Restic,
    paths: Sequence[str],
    judge_all: JudgeAll,
    journal: Journal,
    *,
    exclude: Sequence[str] = (),
    unjudged: Sequence[str] = (),
    before: Callable[[str], Likeness | None] | None = None,
    on_verdict: Callable[[Entry | Skipped, Verdict], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Kept:
    """Keep files and folders; symbolic links among `paths` are followed, those below are kept as links.

    `exclude` holds shell patterns of what is neither judged nor kept, `unjudged` of what is kept without
    being judged. `on_verdict` gets each file as it is judged, `on_progress` bytes kept and bytes in all. The
    repository itself and restic's cache are left out where they lie below a path.

    Raises:
        NoSuchTarget: a path or the repository does not exist; nothing was judged.
        WrongPassword, RepositoryLocked, DiskFull, RepositoryDamaged, NotPermitted: as restic says.
    """
    roots = [os.path.realpath(path) for path in paths]
    left_out = (*exclude, *(glob.escape(folder) for folder in _own_folders(restic)))
    # Opened for nothing but to fail now rather than after hours of judging.
    entries = walk(roots, exclude=(*left_out, *unjudged))
    restic.run("cat", "config", "--no-lock")
    verdicts = _judge(entries, judge_all, before, journal, on_verdict)
    files = verdicts.total()
    tags = [TAG, f"{FILES_TAG}{files}"]
    if hit := verdicts[State.ENCRYPTED]:
        tags += [ENCRYPTED_TAG, f"{COUNT_TAG}{hit}"]
    backup = _Backup(on_progress)
    arguments = [*(f"--tag={tag}" for tag in tags), *(f"--exclude={pattern}" for pattern in left_out)]
    output = restic.run(
        "backup",
        "--json",
        *arguments,
        "--",
        *roots,
        on_line=backup.line,
        on_complaint=backup.complaint,
        fine=(0, INCOMPLETE),
    )
    snapshot = str(backup.summary.get("snapshot_id") or "")
    if not snapshot:
        raise VigieError(restic.name, "restic does not say which snapshot it made", "See: vigie vault list")
    kept = Kept(
        snapshot=snapshot,
        files=files,
        verdicts=dict(verdicts),
        unread=tuple(backup.unread),
        complete=output.code == 0 and not verdicts[State.SKIPPED],
        added=_whole(backup.summary.get("data_added")),
    )
    journal.append("keep", record(kept) | {"repository": restic.name, "paths": roots})
    return kept


def record(kept: Kept) -> dict[str, Any]:
    """What was kept, for JSON."""
    return {
        "snapshot": kept.snapshot,
        "files": kept.files,
        **{state.value: kept.verdicts.get(state, 0) for state in State},
        "unread": len(kept.unread),
        "added": kept.added,
    }


def _judge(
    entries: Iterable[Entry | Skipped],
    judge_all: JudgeAll,
    before: Callable[[str], Likeness | None] | None,
    journal: Journal,
    on_verdict: Callable[[Entry | Skipped, Verdict], None] | None,
) -> Counter[State]:
    verdicts: Counter[State] = Counter()
    for entry, verdict in judge_all(entries, before):
        verdicts[verdict.state] += 1
        if verdict.state is State.ENCRYPTED:
            size = entry.size if isinstance(entry, Entry) else None
            body = {"path": entry.path, "size": size, **verdict.record(), "by": "keep"}
            journal.append("verdict", body, durable=False)
        if on_verdict:
            on_verdict(entry, verdict)
    return verdicts


def _own_folders(restic: Restic) -> tuple[str, ...]:
    """What must not be kept in itself: the repository, where it is a folder here, and the cache."""
    folder = restic.repository.removeprefix("local:")
    local = (os.path.realpath(folder),) if os.path.isdir(folder) else ()
    return (*local, os.path.realpath(restic.cache))


class _Backup:
    """What `restic backup --json` says while it runs."""

    def __init__(self, on_progress: Callable[[int, int], None] | None) -> None:
        self.summary: dict[str, Any] = {}
        self.unread: list[Skipped] = []
        self._on_progress = on_progress

    def line(self, line: str) -> None:
        said = message(line)
        if said is None:
            return
        kind = said.get("message_type")
        if kind == "status" and self._on_progress:
            self._on_progress(_whole(said.get("bytes_done")), _whole(said.get("total_bytes")))
        elif kind == "summary":
            self.summary = said
        elif kind == "error":
            self.complaint(line)

    def complaint(self, line: str) -> None:
        said = message(line)
        if said and said.get("message_type") == "error" and len(self.unread) < _MOST_NAMED:
            error = said.get("error")
            words = error.get("message") or error.get("Op") if isinstance(error, dict) else error
            self.unread.append(Skipped(str(said.get("item") or ""), f"restic could not read it ({words})"))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
