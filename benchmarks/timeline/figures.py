"""The figures of a trial as one JSON object, for whoever compares runs."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from bill import Bill
from trial import Trial


def line(trial: Trial) -> str:
    """One line of JSON: seconds, bytes, counts."""
    marks = trial.marks
    found: dict[str, Any] = {
        "name": trial.name,
        "files": trial.files,
        "snapshots": trial.snapshots,
        "contents": trial.contents,
        "onset_right": marks.onset_right,
        "first_hit_right": marks.earliest,
        "last_clean": _plain(marks.clean),
        "right_and_sure": round(marks.share, 6),
        "right": round(marks.named, 6),
        "struck_before_any_backup": _plain(marks.unborn),
        "healthy_called_hit": marks.alarms,
        "healthy_unsure": marks.doubted,
        "stages": _plain(marks.stages),
        "plan_struck": _plain(marks.plan),
        "plan_healthy": _plain(marks.healthy),
        "timeline": _bill(trial.timeline),
        "plan": _bill(trial.plan),
        "says_read": trial.summary.get("read"),
    }
    if trial.further:
        found["without_last"], found["with_last"] = map(_bill, trial.further)
    if trial.reads:
        found["reads"] = {
            "share_of_packs": round(trial.reads.share, 6),
            "stored": _plain(trial.reads.stored),
            "read": _plain(trial.reads.read),
            "parts_stored": _plain(trial.reads.packs),
            "parts_read": _plain(trial.reads.of),
        }
    found["peers"] = [asdict(one) | {"seconds": round(one.seconds, 1)} for one in trial.rivals]
    return json.dumps({name: value for name, value in found.items() if value not in (None, {}, [])})


def _plain(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())


def _bill(bill: Bill | None) -> dict[str, float] | None:
    if bill is None:
        return None
    return {
        "seconds": round(bill.seconds, 2),
        "processor": round(bill.processor, 2),
        "mib": round(bill.memory / 2**20, 1),
    }
