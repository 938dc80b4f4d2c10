"""Divide the requests of a customer's day: by half-hour, by route, by status code.

A breakdown is stored beside each daily summary, encoded by the kernel (`native/breakdown.h`). It adds up and is subtracted as a
summary is. The routes that one log object contributes to a customer's day are bounded: `bounded_routes`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Final, Literal

from logstats import native
from logstats.domain.route import DECLARED, NOT_FOUND_NAME, OTHER_NAME
from logstats.native import CellNumbers
from logstats.native.breakdown import ROUTES, SLOTS, STATUSES

Part = Literal["slots", "routes", "statuses"]
PARTS: Final[Mapping[Part, int]] = {"slots": SLOTS, "routes": ROUTES, "statuses": STATUSES}
"""Gives each part that a breakdown can keep its bit in the encoding."""
SLOT_SECONDS = 1_800
SLOTS_A_DAY = 48
MAX_ROUTES = 500
"""Of one log object, for a customer's day; those that are declared count, but are never left out."""
NOT_FOUND, OTHER = "(not found)", "(other)"
_NAMES = {NOT_FOUND_NAME: NOT_FOUND, OTHER_NAME: OTHER}


@dataclass(frozen=True, slots=True)
class Cell:
    """The requests of one half-hour, or of one route, of a customer's day; cells add up.

    Counts are those of a `DailySummary`, durations microseconds. Sum and counts are exact. Percentiles (nearest rank) are within
    0.4 % of a duration that there was, and so is the longest; of a single duration they are exact.
    """

    numbers: CellNumbers
    encoded: bytes

    def __add__(self, other: "Cell") -> "Cell":
        encoded, numbers = native.add_cells(self.encoded, other.encoded)
        return Cell(numbers, encoded)

    @property
    def total_requests(self) -> int:
        """How many requests there were."""
        return self.numbers.counts[0]

    @property
    def timed_requests(self) -> int:
        """How many had a duration."""
        return self.total_requests - self.numbers.counts[3]

    @property
    def duration_sum_us(self) -> int:
        """The sum of all durations."""
        return self.numbers.duration_sum_us

    @property
    def duration_max_us(self) -> int | None:
        """The longest duration; None without durations."""
        return self.numbers.duration_max_us if self.timed_requests else None

    def percentiles_us(self) -> tuple[int | None, ...]:
        """Return p50, p90, p95 and p99 of the durations; None without durations."""
        return (
            self.numbers.percentiles_us if self.timed_requests else (None,) * len(self.numbers.percentiles_us)
        )


class Breakdown:
    """An immutable breakdown of the requests of a customer's day; it may keep only some of its three parts.

    Attributes
    ----------
    encoded
        The serialised form (`native/breakdown.h`). Equal breakdowns are equal bytes.
    """

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Breakdown) and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __add__(self, other: "Breakdown") -> "Breakdown | None":
        """Add those of two log objects; None if they keep no part in common."""
        return _some(native.combine_breakdowns(self.encoded, other.encoded))

    def unite(self, other: "Breakdown") -> "Breakdown | None":
        """Add those of two parts of one log object, which together have at most so many routes as one object may have."""
        return _some(native.combine_breakdowns(self.encoded, other.encoded, bounded=True))

    def __sub__(self, other: "Breakdown") -> "Breakdown":
        """Take out what was added before; a `ValueError` if it was not."""
        return Breakdown(native.combine_breakdowns(self.encoded, other.encoded, subtract=True))

    @property
    def parts(self) -> int:
        """The parts that are kept: the bits of `PARTS`."""
        return self.encoded[1]

    @property
    def total_requests(self) -> int:
        """How many requests are broken down."""
        return native.breakdown_total(self.encoded)

    @cached_property
    def slots(self) -> Mapping[int, Cell]:
        """The cells by half-hour of the UTC day, from 0 to 47; only those with requests."""
        return self._items[0]

    @cached_property
    def routes(self) -> Mapping[str, Cell]:
        """The cells by route, in the order of their names; what is no route of its own comes last."""
        return self._items[1]

    @cached_property
    def statuses(self) -> Mapping[int, int]:
        """The requests by status code."""
        return self._items[2]

    @cached_property
    def _items(self) -> tuple[Mapping[int, Cell], Mapping[str, Cell], Mapping[int, int]]:
        slots: dict[int, Cell] = {}
        routes: dict[str, Cell] = {}
        statuses: dict[int, int] = {}
        for part, key, numbers, encoded in native.breakdown_items(self.encoded):
            if isinstance(key, bytes):
                name = _NAMES.get(key) or key.removeprefix(DECLARED).decode()
                cell = Cell(numbers, encoded)
                routes[name] = routes[name] + cell if name in routes else cell
            elif part == SLOTS:
                slots[key] = Cell(numbers, encoded)
            else:
                statuses[key] = numbers.counts[0]
        last = {name: routes.pop(name) for name in (NOT_FOUND, OTHER) if name in routes}
        ordered = dict(sorted(routes.items())) | last
        return MappingProxyType(slots), MappingProxyType(ordered), MappingProxyType(statuses)


def _some(encoded: bytes) -> Breakdown | None:
    return Breakdown(encoded) if encoded else None


def bounded_routes(names: Iterable[bytes]) -> set[bytes]:
    """Return the stored names that a log object keeps for a customer's day: those declared, then those with the smallest hashes.

    The smallest of a union are among the smallest of each of its parts: however an object is divided, the result is the same.
    """
    ranked = sorted((not name.startswith(DECLARED), route_hash(name), name) for name in set(names))
    declared = sum(not undeclared for undeclared, _, _ in ranked)
    return set(map(itemgetter(2), ranked[: max(MAX_ROUTES, declared)]))


def route_hash(name: bytes) -> int:
    """Return the 64-bit hash that chooses routes: multiplied eight bytes at a time, high and low half of the product folded."""
    value, words = 0, [name[at : at + 8] for at in range(0, len(name), 8)]
    if len(name) % 8 == 0:
        words.append(b"")
    for word in words:
        product = (value ^ int.from_bytes(word, "little")) * 0x9E3779B97F4A7C15
        value = (product & (1 << 64) - 1) ^ (product >> 64)
    return value
