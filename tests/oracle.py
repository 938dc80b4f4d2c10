"""Statistics by brute force: every line kept, everything sorted. It shares no code with the project."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

Places = tuple[tuple[str, int | str], ...]
Breakdown = dict[tuple[str, int | str], tuple[int, ...]]
Statistics = dict[tuple[str, str], dict[str, Any]]


def statistics(lines: Iterable[str]) -> Statistics:
    """The statistics of each (customer, day) of valid lines, durations exact as `Decimal` seconds; `-` is none."""
    requests = defaultdict(list)
    for line in lines:
        day, time, customer, path, status, duration = line.split(" ")
        hour, minute, _second = map(int, time.split(":"))
        route = "(not found)" if status == "404" else re.sub("/[0-9]+(?=/|$)", "/{id}", path)
        places = (("slot", 2 * hour + minute // 30), ("route", route), ("status", int(status)))
        requests[customer, day].append((int(status), None if duration == "-" else Decimal(duration), places))
    return {
        key: of_entries([entry[:2] for entry in entries]) | {"breakdown": _breakdown(entries)}
        for key, entries in requests.items()
    }


def answers(lines: Iterable[str]) -> Statistics:
    """The statistics as a customer's days are answered: not broken down."""
    found = statistics(lines)
    return {
        key: {name: numbers[name] for name in numbers if name != "breakdown"}
        for key, numbers in found.items()
    }


def _breakdown(entries: Iterable[tuple[int, Decimal | None, Places]]) -> Breakdown:
    """Of each half-hour, route and status: requests, client and server errors, untimed ones, microseconds in all."""
    groups = defaultdict(list)
    for status, duration, places in entries:
        for place in places:
            groups[place].append((status, duration))
    return {
        place: (
            len(group),
            sum(400 <= status <= 499 for status, _ in group),
            sum(500 <= status <= 599 for status, _ in group),
            sum(duration is None for _, duration in group),
            int(sum(1_000_000 * duration for _, duration in group if duration is not None)),
        )
        if place[0] != "status"
        else (len(group),)
        for place, group in groups.items()
    }


def repeated(lines: Iterable[str], times: int) -> Statistics:
    """The statistics of the lines written several times over: counts multiply, nearest ranks stay."""
    once = statistics(lines)
    for numbers in once.values():
        for field in numbers:
            if field.endswith(("_requests", "_errors")):
                numbers[field] *= times
        numbers["breakdown"] = {
            place: tuple(times * count for count in counts) for place, counts in numbers["breakdown"].items()
        }
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
