"""`vigie vault`: keep versions in a plain restic repository, list, verify and restore them."""

import glob

import click
from rich.table import Column

from vigie.config import Settings, load, state_folder
from vigie.errors import ExitCode, NoSuchTarget
from vigie.journal import Baseline, Journal
from vigie.model import Entry, Likeness, Skipped, State, Verdict
from vigie.ui.cli import output, shown
from vigie.ui.cli.sealing import restic_of
from vigie.vault import Restic, init, keep, restore, snapshots, verify
from vigie.vault.keep import record
from vigie.watch.decoys import Register
from vigie.workers import Workers

_repository = click.option(
    "--repository", "-r", metavar="REPO", help="As restic writes it (else RESTIC_REPOSITORY, vigie.toml)."
)


@click.group()
def command() -> None:
    """Keep versions in a plain restic repository, which the restic program alone can read as well."""


@command.command("init")
@_repository
@click.option("--repository-version", type=click.IntRange(1, 2), default=2, help="Repository format.")
@output.options
def init_command(
    repository: str | None, repository_version: int, settings: str | None, state: str | None, as_json: bool
) -> int:
    """Make a repository. Without its password, what it keeps is lost."""
    restic = _restic(repository, load(settings), state)
    init(restic, repository_version)
    if as_json:
        output.emit({"summary": {"repository": restic.name, "version": repository_version}})
    else:
        click.echo(f"{shown(restic.name)} is ready. Keep its password somewhere else as well, on paper.")
    return ExitCode.CLEAN


@command.command("keep")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Neither judge nor keep what matches.")
@_repository
@output.options
def keep_command(
    paths: tuple[str, ...],
    exclude: tuple[str, ...],
    repository: str | None,
    settings: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Judge every file, then keep all of it (`vault.paths` where no PATH is given).

    What is encrypted is named and kept too, as evidence; the snapshot is tagged "vigie-encrypted". What
    `check.exclude` matches is kept without being judged.
    """
    chosen = load(settings)
    if not (wanted := paths or chosen.vault.paths):
        raise NoSuchTarget("vault keep", "nothing to keep is named", "Give a PATH, or set vault.paths.")
    restic = _restic(repository, chosen, state)
    folder = state_folder(state)
    with Register(folder) as register:
        decoys = [glob.escape(decoy.path) for decoy in register.all()]  # nobody's data: see docs/decoys.md
    with (
        Journal(folder) as journal,
        Baseline(folder) as baseline,
        Workers(chosen.check) as workers,
        output.progress(shown=not as_json) as progress,
    ):
        judging = progress.add_task("judging", total=None)
        keeping = progress.add_task("keeping (bytes)", total=None, visible=False)

        def on_verdict(entry: Entry | Skipped, verdict: Verdict) -> None:
            progress.advance(judging)
            if verdict.state in (State.ENCRYPTED, State.SKIPPED):
                _say(entry, verdict, as_json=as_json)

        def on_progress(done: int, total: int) -> None:
            progress.update(keeping, completed=done, total=total, visible=True)

        def before(path: str) -> Likeness | None:
            known = baseline.at(path)
            return known.likeness if known else None

        kept = keep(
            restic,
            wanted,
            workers.judge_all,
            journal,
            exclude=(*exclude, *decoys),
            unjudged=chosen.check.exclude,
            before=before,
            on_verdict=on_verdict,
            on_progress=on_progress,
        )
    for skipped in kept.unread:
        if as_json:
            output.emit({"path": skipped.path, "error": skipped.reason})
        else:
            click.echo(f"{shown(skipped.path)}: {shown(skipped.reason)}")
    if as_json:
        output.emit({"summary": record(kept)})
    else:
        counts = ", ".join(f"{count} {state}" for state, count in kept.verdicts.items())
        files = output.counted(kept.files, "file")
        click.echo(f"kept as snapshot {kept.snapshot[:8]}: {files} ({counts or 'none'})")
    if kept.verdicts.get(State.ENCRYPTED):
        return ExitCode.FOUND
    return ExitCode.CLEAN if kept.complete else ExitCode.PARTIAL


@command.command("list")
@_repository
@output.options
def list_command(repository: str | None, settings: str | None, state: str | None, as_json: bool) -> int:
    """List the snapshots, and what was found in each when it was kept."""
    found = snapshots(_restic(repository, load(settings), state))
    marked = sum(item.encrypted != 0 for item in found if item.encrypted is not None)
    if as_json:
        for item in found:
            output.emit(
                {
                    "snapshot": item.snapshot,
                    "time": item.time,
                    "host": item.host,
                    "paths": item.paths,
                    "tags": item.tags,
                    "files": item.files,
                    "encrypted": item.encrypted,
                }
            )
        output.emit({"summary": {"snapshots": len(found), "encrypted": marked}})
        return ExitCode.CLEAN
    figures = (Column(name, justify="right") for name in ("files", "encrypted"))
    table = output.table("snapshot", Column("time", no_wrap=True), "host", *figures, "paths")
    for item in found:
        hit = "" if item.encrypted is None else str(item.encrypted)
        table.add_row(
            item.snapshot[:8],
            item.time[:16].replace("T", " "),
            shown(item.host),
            "" if item.files is None else str(item.files),
            f"[{output.COLOURS['encrypted']}]{hit}[/]" if item.encrypted else hit,
            shown(" ".join(item.paths)).replace("[", r"\["),
        )
    output.console().print(table)
    return ExitCode.CLEAN


@command.command("verify")
@click.option("--read-data", is_flag=True, help="Read every byte, not only what ties them together.")
@_repository
@output.options
def verify_command(
    read_data: bool, repository: str | None, settings: str | None, state: str | None, as_json: bool
) -> int:
    """Check that the repository is whole. Exit code 1 where it is not."""
    restic = _restic(repository, load(settings), state)

    def on_problem(problem: str) -> None:
        # At once: restic tries for minutes to read what is missing.
        if as_json:
            output.emit({"problem": problem})
        else:
            click.echo(f"problem: {shown(problem)}")

    on_line = _none if as_json else _echo
    problems = verify(restic, read_data=read_data, on_line=on_line, on_problem=on_problem)
    if as_json:
        output.emit({"summary": {"problems": len(problems), "read_data": read_data}})
    else:
        click.echo(f"{shown(restic.name)}: {'damaged' if problems else 'whole'}")
    return ExitCode.FOUND if problems else ExitCode.CLEAN


@command.command("restore")
@click.argument("snapshot")
@click.option("--to", "target", required=True, metavar="DIR", help="A new or empty folder.")
@_repository
@output.options
def restore_command(
    snapshot: str,
    target: str,
    repository: str | None,
    settings: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Restore one SNAPSHOT (or "latest") as it is, encrypted files included. See also: vigie recover."""
    restic = _restic(repository, load(settings), state)
    missed = restore(restic, snapshot, target, on_line=_none if as_json else _echo)
    with Journal(state_folder(state)) as journal:
        journal.append("restore", {"snapshot": snapshot, "to": target, "missed": len(missed)})
    for skipped in missed:
        if as_json:
            output.emit({"path": skipped.path, "error": skipped.reason})
        else:
            click.echo(f"not restored: {shown(skipped.path)}: {shown(skipped.reason)}")
    if as_json:
        output.emit({"summary": {"snapshot": snapshot, "to": target, "missed": len(missed)}})
    return ExitCode.PARTIAL if missed else ExitCode.CLEAN


def _restic(given: str | None, settings: Settings, state: str | None) -> Restic:
    return restic_of(settings, state_folder(state), given)


def _say(entry: Entry | Skipped, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        size = entry.size if isinstance(entry, Entry) else None
        output.emit({"path": entry.path, "size": size, **verdict.record()})
    else:
        click.echo(f"{verdict.state.value}: {shown(entry.path)}: {shown('; '.join(verdict.evidence))}")


def _echo(line: str) -> None:
    if line.strip():
        click.echo(shown(line))


def _none(_: str) -> None:
    return None
