"""The drill's story for people: one short paragraph a chapter as it ends, a bar while it lasts, a verdict."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from vigie.drill.scenario import PASSWORD_FILE
from vigie.drill.story import Chapter, Step, Story, Summary
from vigie.ui.cli import shown
from vigie.ui.cli.output import console, progress

_INDENT = 10
_MOST_PARENTS = 4

_NAMES = {
    Chapter.PRACTICE: "A practice is invented",
    Chapter.FIRST_KEEP: "First backup",
    Chapter.GUARD: "The guard begins",
    Chapter.WORK: "An ordinary day",
    Chapter.SECOND_KEEP: "Second backup",
    Chapter.ATTACK: "The attack",
    Chapter.THIRD_KEEP: "Third backup",
    Chapter.TIMELINE: "Since when, and what",
    Chapter.RECOVER: "Everything is restored",
    Chapter.PROOF: "The proof",
}


class Tale:
    """Tells a drill on a terminal (bar and colours) or into a log (plain lines). Silent where not `shown`."""

    def __init__(self, files: int, *, shown: bool = True) -> None:
        self._files, self._shown = files, shown
        self._bar = progress(shown=shown and sys.stdout.isatty())
        # With a bar, lines must go past it; both are on the same terminal then.
        self._out: Console = console() if self._bar.disable else self._bar.console
        self._task = self._bar.add_task("", total=None)
        self._chapter: Chapter | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def progress(self, chapter: Chapter, done: int, total: int | None) -> None:
        """Move the bar; before all, say what is about to happen."""
        if self._chapter is None and self._shown:
            words = f"An invented practice of {self._files:,} files will be attacked and brought back."
            self._out.print(Text(words, style="bold"), Text("Nothing real is touched.", style="dim"))
        if chapter is not self._chapter:
            # A new bar, since a known total cannot be taken back from an old one.
            self._bar.remove_task(self._task)
            self._task = self._bar.add_task(_NAMES[chapter], total=total)
            self._chapter = chapter
        self._bar.update(self._task, completed=done, total=total)

    def step(self, step: Step) -> None:
        """Tell a chapter that is done."""
        attack = step.chapter is Chapter.ATTACK
        style = "bold red" if attack else "bold"
        line = Text(f"{clock(step.began)}   ", style="dim")
        line.append(_NAMES[step.chapter], style=style).append(f"  {span(step.seconds)}", style="dim")
        for words in _TOLD[step.chapter](step.facts):
            line.append(f"\n{' ' * _INDENT}{shown(words)}", style="bold" if attack else "default")
        self._out.print(line, soft_wrap=True)

    def end(self, story: Story, report: Path | None) -> None:
        """The verdict, and where things are."""
        good, summary = story.passed, story.summary
        lines = [
            f"{story.identical:,} of {summary.files:,} files came back identical, byte for byte.",
            _attacked(summary),
            f"False alarms: {summary.false_alarms}. Without any healthy version: {summary.unrecoverable}.",
            f"The whole drill took {span(summary.duration_s)}.",
        ]
        title = "✓ Passed" if good else "✗ Not passed"
        style = "green" if good else "red"
        words = Text("\n".join(lines))
        self._out.print(Panel(words, title=title, title_align="left", border_style=style, expand=False))
        if report:
            self._out.print(Text(f"Report: {shown(str(report))}"), soft_wrap=True)
        if story.kept:
            self._out.print(Text(_left(story.kept)), soft_wrap=True)


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths since the start: 00:19.2."""
    tenths = int(seconds * 10)
    return f"{tenths // 600:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def span(seconds: float) -> str:
    """A length of time, to what matters of it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


def _attacked(summary: Summary) -> str:
    if summary.frozen_after_s is None:
        return f"The attack could not be frozen; it overwrote {summary.files_lost:,} files."
    after = span(summary.frozen_after_s)
    return f"The attack was frozen {after} after its first file; it overwrote {summary.files_lost:,}."


def _left(kept: str) -> str:
    vault, password = (shlex.quote(os.path.join(kept, name)) for name in ("vault", PASSWORD_FILE))
    return (
        f"Left to look at: {shown(kept)}\n"
        f"The vault is plain restic: restic -r {shown(vault)} --password-file {shown(password)} snapshots"
    )


def _keep(facts: dict[str, Any]) -> list[str]:
    others = {key: facts[key] for key in ("encrypted", "damaged", "unknown") if facts[key]}
    said = "".join(f", {count:,} {state}" for state, count in others.items())
    return [f"{facts['files']:,} files judged and kept: {facts['intact']:,} intact{said}"]


def _practice(facts: dict[str, Any]) -> list[str]:
    words = f"{facts['files']:,} files of {facts['patients']:,} patients, {facts['bytes'] / 1e6:.1f} MB"
    return [words, f"in {facts['folder']}"] if facts["kept"] else [words]


def _guard(facts: dict[str, Any]) -> list[str]:
    limits = [f"not here: {words}" for words in facts["lost"]]
    return [f"{facts['files']:,} files known; sensor: {facts['sensor']}", *limits]


def _work(facts: dict[str, Any]) -> list[str]:
    work = facts["work"]
    touched = sum(step[key] for step in work for key in ("added", "changed", "removed", "renamed"))
    skipped = [f"left out: {step['work']} ({step['skipped']})" for step in work if step["skipped"]]
    words = f"{len(work)} kinds of work that look a little like an attack, {touched:,} files touched"
    return [f"{words}; false alarms: {facts['alarms']}", *skipped]


def _attack(facts: dict[str, Any]) -> list[str]:
    lines = []
    actor = facts["incident"]["actor"] if facts["incident"] else None
    if actor:
        lines.append(f"named: {actor['executable']} (pid {actor['pid']}, user {actor['user'] or 'unknown'})")
        chain = [f"{os.path.basename(p['executable'])} ({p['pid']})" for p in actor["parents"]]
        lines += [f"started by: {' < '.join(chain[:_MOST_PARENTS])}"] if chain else []
    elif facts["incident"]:
        lines.append("alarm raised; nobody could be named")
    after = facts["frozen_after_s"]
    frozen = (
        "not frozen: it ran to its end" if after is None else f"frozen {span(after)} after its first file"
    )
    return [*lines, f"{frozen}; files overwritten: {facts['lost']:,}"]


def _timeline(facts: dict[str, Any]) -> list[str]:
    clean = (facts["last_clean"] or "none")[:8]
    hit = (facts["first_hit"] or "none")[:8]
    return [f"last clean backup: {clean}; first one hit: {hit}; documents affected: {facts['affected']:,}"]


def _recover(facts: dict[str, Any]) -> list[str]:
    words = f"{facts['restored']:,} files restored, {facts['verified']:,} verified healthy"
    return [f"{words}; unrecoverable: {facts['unrecoverable']:,}"]


def _proof(facts: dict[str, Any]) -> list[str]:
    journal = f"journal of {facts['journal_rows']:,} rows holds"
    words = f"{facts['identical']:,} of {facts['files']:,} files identical"
    return [f"{words}; {journal}; vault problems: {facts['vault_problems']}"]


_TOLD: dict[Chapter, Callable[[dict[str, Any]], list[str]]] = {
    Chapter.PRACTICE: _practice,
    Chapter.FIRST_KEEP: _keep,
    Chapter.GUARD: _guard,
    Chapter.WORK: _work,
    Chapter.SECOND_KEEP: _keep,
    Chapter.ATTACK: _attack,
    Chapter.THIRD_KEEP: _keep,
    Chapter.TIMELINE: _timeline,
    Chapter.RECOVER: _recover,
    Chapter.PROOF: _proof,
}
