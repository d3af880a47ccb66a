"""The tables that are printed."""

from collections import Counter
from collections.abc import Iterable

from projection import Projection
from rich.console import Console
from rich.table import Table
from trial import Trial

MIB = 2**20
_WORDS = {None: "not named", True: "right", False: "WRONG"}


def show(trial: Trial, out: Console) -> None:
    """One trial."""
    out.rule(
        f"{trial.name}: {trial.files:,} files × {trial.snapshots} snapshots, {trial.contents:,} contents"
    )
    _truth(trial, out)
    _cost(trial, out)
    if trial.rivals:
        _rivals(trial, out)


def _truth(trial: Trial, out: Console) -> None:
    marks = trial.marks
    first, last = marks.onset
    out.print(f"onset: {_WORDS[marks.onset_right]} (between snapshots {first} and {last})")
    out.print(f"second of the first hit: {_WORDS[marks.earliest]}")
    if trial.detailed:
        out.print(f"{marks.clean.total():,} documents hit; their last clean version: {_counts(marks.clean)}")
        out.print(f"  = {marks.share:.3%} right and sure, {marks.named:.3%} right, sure or not")
        out.print(f"  the newest clean snapshot: {marks.exact:,}; snapshot of the hit: {_counts(marks.when)}")
        out.print(f"  found in stage: {_counts(marks.stages)}")
        out.print(f"hit before any backup saw them: {_counts(marks.unborn)}")
        out.print(f"healthy documents called hit: {marks.alarms:,}; listed as unsure: {marks.doubted:,}")
        out.print(f"notes listed: {marks.notes:,}; unknown paths: {marks.strangers:,}")
        _by(marks.by, out)
    else:
        out.print("vigie timeline has no --files here: single documents are marked by the plan only")
    if marks.plan:
        out.print(f"plan, hit documents: {_counts(marks.plan)}; healthy ones: {_counts(marks.healthy)}")
    for mistake, paths in marks.mistakes.items():
        out.print(f"{mistake}:", *paths[:5], sep="\n  ", markup=False)


def _by(groups: dict[str, Counter[str]], out: Console) -> None:
    """The patterns, ways and kinds of which something was not told right."""
    heads = ("right", "right, unsure", "unsure", "wrong", "former", "missed")
    table = _table("", *heads)
    for name, counts in sorted(groups.items()):
        if not set(counts) <= {"right", "right, unsure"}:
            table.add_row(name, *(f"{counts[outcome]:,}" for outcome in heads))
    if table.rows:
        out.print(table)


def _cost(trial: Trial, out: Console) -> None:
    table = _table("command", "seconds", "processor", "peak memory")
    rows = {"vigie timeline": trial.timeline, "vigie recover --plan": trial.plan}
    if trial.further:
        rows |= {
            "without the last snapshot": trial.further[0],
            "with it, and what was kept": trial.further[1],
        }
    for name, bill in rows.items():
        if bill:
            table.add_row(
                name, f"{bill.seconds:.1f}", f"{bill.processor:.1f}", f"{bill.memory / MIB:,.0f} MiB"
            )
    out.print(table)
    if trial.summary.get("read"):
        out.print("it says of itself:", trial.summary["read"])
    reads = trial.reads
    if reads:
        table = _table("bytes of the packs", "stored", "read", "share")
        for part in sorted(reads.packs | reads.of):
            table.add_row(part, f"{reads.packs[part]:,}", f"{reads.of[part]:,}", f"{reads.part(part):.2%}")
        table.add_row(
            "packs, all", f"{reads.stored['data']:,}", f"{reads.read['data']:,}", f"{reads.share:.2%}"
        )
        out.print(table)
        out.print(f"index: {reads.read['index']:,} bytes; contents by kind: {_counts(reads.kinds)}")


def _rivals(trial: Trial, out: Console) -> None:
    table = _table("what a person would do today", "runs", "seconds each", "seconds in all", "ratio")
    table.add_column("")
    for one in trial.rivals:
        ratio = f"{one.seconds / trial.timeline.seconds:,.1f}×"
        runs = f"{one.measured} of {one.of}"
        table.add_row(one.name, runs, f"{one.each:,.1f}", f"{one.seconds:,.0f}", ratio, one.note)
    out.print(table)


def curve(trials: Iterable[Trial], fitted: Projection, out: Console) -> None:
    """Several sizes, and what follows from them."""
    table = _table("files", "snapshots", "contents", "seconds", "peak memory")
    for trial in trials:
        table.add_row(
            f"{trial.files:,}",
            str(trial.snapshots),
            f"{trial.contents:,}",
            f"{trial.timeline.seconds:.1f}",
            f"{trial.timeline.memory / MIB:,.0f} MiB",
        )
    out.print(table)
    out.print(
        f"1,000,000 files × 90 snapshots, projected: {fitted.seconds:,.0f} s, {fitted.memory / MIB:,.0f} MiB "
        f"(exponent {fitted.exponent:.2f}, farthest point {fitted.residual:.1%} off the line)"
    )


def _table(first: str, *heads: str) -> Table:
    table = Table(first)
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "none"
