"""What goes along with one ingest: when it must be done, and what it has cost."""

from dataclasses import dataclass, field

from processor.deadline import NEVER, Deadline
from processor.measurements import Measurements


@dataclass(frozen=True, slots=True)
class Context:
    """Passed along with an ingest or a withdrawal.

    Attributes
    ----------
    deadline
        When the caller will be cut off.
    measurements
        Filled in on the way.
    """

    deadline: Deadline = NEVER
    measurements: Measurements = field(default_factory=Measurements)
