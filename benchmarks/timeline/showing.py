"""The tables that are printed."""

from collections import Counter
from collections.abc import Iterable

from projection import Projection
from rich.console import Console
from rich.table import Table
from trial import Trial

MIB = 2**20


def show(trial: Trial, out: Console) -> None:
    """One trial."""
    out.rule(f"{trial.files:,} files × {trial.snapshots} snapshots, {trial.contents:,} contents")
    _truth(trial, out)
    _cost(trial, out)
    if trial.rivals:
        _rivals(trial, out)


def _truth(trial: Trial, out: Console) -> None:
    marks = trial.marks
    said = "right" if marks.onset_right else "WRONG"
    out.print(f"onset: {said} (snapshots {marks.onset[0]} and {marks.onset[1]})")
    if trial.detailed:
        hit = marks.clean.total()
        out.print(
            f"hit documents: {hit:,}; last clean version {_counts(marks.clean)} = {marks.share:.3%} right"
        )
        out.print(
            f"  right, and the newest snapshot: {marks.exact:,}; snapshot of the hit: {_counts(marks.when)}"
        )
        out.print(
            f"  by stage: {_counts(marks.stages)}; notes listed: {marks.notes:,}; "
            f"unknown paths: {marks.strangers:,}"
        )
        out.print(f"healthy documents called hit: {marks.alarms:,}; listed as doubtful: {marks.doubted:,}")
        table = _table("", "right", "unsure", "wrong", "missed")
        for name, counts in sorted(marks.by.items()):
            if set(counts) != {"right"}:
                table.add_row(
                    name, *(f"{counts[outcome]:,}" for outcome in ("right", "unsure", "wrong", "missed"))
                )
        if table.rows:
            out.print(table)
    else:
        out.print("vigie timeline has no --files here: single documents are marked by the plan only")
    if marks.plan:
        out.print(f"plan, hit documents: {_counts(marks.plan)}; healthy ones: {_counts(marks.healthy)}")
    for mistake, paths in marks.mistakes.items():
        out.print(f"{mistake}:", *paths[:5], sep="\n  ", markup=False)


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
    both = sum(one.seconds for one in trial.rivals[:2])
    rows = [(one.name, f"{one.measured} of {one.of}", one.each, one.seconds) for one in trial.rivals]
    rows.insert(2, ("restore and check, together", "", 0.0, both))
    for name, runs, each, seconds in rows:
        ratio = f"{seconds / trial.timeline.seconds:,.1f}×"
        table.add_row(name, runs, f"{each:,.1f}" if each else "", f"{seconds:,.0f}", ratio)
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
