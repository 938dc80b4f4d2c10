"""Statistics by brute force: every line kept, everything sorted. It shares no code with the project."""

import math
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

Statistics = dict[tuple[str, str], dict[str, Any]]


def statistics(lines: Iterable[str]) -> Statistics:
    """The statistics of each (customer, day) of valid lines, durations exact as `Decimal` seconds; `-` is none."""
    requests = defaultdict(list)
    for line in lines:
        day, _time, customer, _path, status, duration = line.split(" ")
        requests[customer, day].append((int(status), None if duration == "-" else Decimal(duration)))
    return {key: of_entries(entries) for key, entries in requests.items()}


def repeated(lines: Iterable[str], times: int) -> Statistics:
    """The statistics of the lines written several times over: counts multiply, nearest ranks stay."""
    once = statistics(lines)
    for numbers in once.values():
        for field in numbers:
            if field.endswith(("_requests", "_errors")):
                numbers[field] *= times
    return once


def customers(statistics: Statistics) -> dict[str, tuple[str, str, int]]:
    """First day, last day and requests of each customer."""
    found: dict[str, tuple[str, str, int]] = {}
    for (customer, day), numbers in sorted(statistics.items()):
        first, _, requests = found.get(customer, (day, day, 0))
        found[customer] = (first, day, requests + numbers["total_requests"])
    return found


def of_entries(entries: list[tuple[int, Decimal | None]]) -> dict[str, Any]:
    """The numbers of requests, each with its status and duration; without any there is no uptime."""
    durations = sorted(duration for _, duration in entries if duration is not None)
    count, timed = len(entries), len(durations)
    client = sum(400 <= status <= 499 for status, _ in entries)
    server = sum(500 <= status <= 599 for status, _ in entries)
    return {
        "total_requests": count,
        "timed_requests": timed,
        "success_requests": sum(status < 400 for status, _ in entries),
        "failed_requests": client + server,
        "client_errors": client,
        "server_errors": server,
        "uptime_percentage": float(100 * (1 - Fraction(server, count))) if count else None,
        "duration_mean": float(sum(map(Fraction, durations)) / timed) if timed else None,
        **{
            f"duration_p{percent}": float(durations[math.ceil(Fraction(percent * timed, 100)) - 1])
            if timed
            else None
            for percent in (50, 90, 95, 99)
        },
        "duration_max": float(durations[-1]) if timed else None,
    }
