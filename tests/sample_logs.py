"""The sample of each service's log, and what is true of it (`tests/samples`)."""

import json
from pathlib import Path
from typing import Any

from logstats.domain.reader import Reader, RejectReason, Request, Skipped
from logstats.formats import customised, presets

SAMPLES = Path(__file__).parent / "samples"
PRESETS = {
    "apache-combined": "combined",
    "aws-alb": "aws-alb",
    "aws-apigateway-clf": "aws-apigateway-clf",
    "aws-apigateway-json": "aws-apigateway",
    "aws-cloudfront": "aws-cloudfront",
    "aws-s3-access": "aws-s3",
    "caddy-json": "caddy",
    "envoy-istio-json": "envoy",
    "haproxy": "haproxy",
    "iis-w3c": "iis",
    "kong-json": "kong",
    "nginx-timed": "nginx",
}
OPTIONS: dict[str, dict[str, str]] = {"haproxy": {"zone": "+02:00"}}
"""Options for what a preset cannot know of a sample."""
UNTIMED = {"apache-combined", "aws-apigateway-clf"}
_STARTS = {"envoy-istio-json", "haproxy", "kong-json"}
"""The samples whose times are those of a request's start."""
Verdict = Request | RejectReason | Skipped | None


def verdicts(sample: str) -> list[tuple[bytes, Verdict]]:
    """The lines of a sample, and what each comes to."""
    reader = Reader(customised(presets()[PRESETS[sample]], **OPTIONS.get(sample, {})))
    return [(line, reader.read(line)) for line in (SAMPLES / f"{sample}.log").read_bytes().splitlines()]


def first_requests(sample: str) -> bytes:
    """The log up to its twelfth request."""
    numbers = [
        number for number, (_, verdict) in enumerate(verdicts(sample), 1) if isinstance(verdict, Request)
    ]
    lines = (SAMPLES / f"{sample}.log").read_bytes().splitlines(keepends=True)
    return b"".join(lines[: numbers[11]])


def truth(sample: str) -> dict[str, dict[str, Any]]:
    """Totals, errors and durations of the first twelve requests, by customer and day."""
    found: dict[str, dict[str, Any]] = json.loads(
        (SAMPLES / f"truth{'-start' * (sample in _STARTS)}.json").read_text()
    )
    return found
