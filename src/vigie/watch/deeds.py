"""Where measures are taken that take time (another program, the vault): a thread; the guard never waits."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from vigie.watch.actions import Actuators, Measure, Outcome


@dataclass(frozen=True, slots=True)
class Acted:
    """A measure was taken, or could not be."""

    incident: str
    measure: Measure
    outcome: Outcome


class Deeds:
    """Takes measures in the order in which they are asked for; `tell` is called from its thread."""

    def __init__(self, actuators: Actuators, tell: Callable[[Acted], None]) -> None:
        self._actuators = actuators
        self._tell = tell
        self._jobs: SimpleQueue[tuple[str, Measure] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="deeds", daemon=True)
        self._thread.start()

    def ask(self, incident: str, measure: Measure) -> None:
        """Have it done."""
        self._jobs.put((incident, measure))

    def close(self, seconds: float = 10.0) -> None:
        """Finish what was asked for, at most so long."""
        self._jobs.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            incident, measure = job
            self._tell(Acted(incident, measure, self._do(measure)))

    def _do(self, measure: Measure) -> Outcome:
        actuator = self._actuators.get(measure.kind)
        if actuator is None:
            return Outcome(False, f"there is no {measure.kind} here", False)
        try:
            return actuator.do(measure.target)
        except Exception as error:  # noqa: BLE001 - one measure that breaks must not keep the next from being taken
            return Outcome(False, f"it failed: {error!r}", False)
