"""Fuzz the kernel and the parsers, guided by coverage, some seconds each: ``python -m tests.fuzz.run SECONDS [TARGET ...]``.

The kernel's targets are compiled with clang, libFuzzer and both sanitizers; the parsers run under Atheris. What is found
stays in `build/fuzz/TARGET/`, the corpora in `build/fuzz/TARGET/corpus/`.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from logstats.domain.route import parse_routes
from logstats.formats import detect, presets
from logstats.native import EVERYTHING, Aggregator, build, compile_routes, copy_rows
from logstats.native.program import compile_format
from tests.events import created
from tests.logs import as_bytes, random_lines

FOLDER = Path("build/fuzz")
PARSERS = ("address", "event")
TARGETS = ("feed", "load", "decode", "rows", "days", "breakdown", "route", *PARSERS)
PROGRAMS = {name: compile_format(declared) for name, declared in presets().items()}
SAMPLES = Path("tests/samples")
FLAGS = ("-std=c11", "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined")


def compile_kernel(target: str) -> Path:
    """Compile a target of `kernel.c`."""
    compiler = shutil.which(os.environ.get("FUZZ_CC", "clang"))
    if compiler is None:
        sys.exit(
            "error: fuzzing needs clang with libFuzzer (Debian and Ubuntu: clang); FUZZ_CC names another"
        )
    output = FOLDER / target / "fuzzer"
    codes = [", ".join(str(byte) for byte in code) for code in PROGRAMS.values()]
    (FOLDER / "programs.h").write_text(
        "typedef struct { const uint8_t *at; size_t length; } span_of_code;\n"
        + "".join(f"static const uint8_t code_{i}[] = {{{code}}};\n" for i, code in enumerate(codes))
        + f"#define PROGRAMS {len(codes)}\nstatic const span_of_code programs[] = {{"
        + ", ".join(f"{{code_{i}, sizeof code_{i}}}" for i in range(len(codes)))
        + "};\n"
    )
    sources = [str(build.HERE / source) for source in build.SOURCES]
    command = [
        compiler,
        *FLAGS,
        "-DMAX_ROUTES=8",  # so that little is enough to leave some out, or to take lists up
        "-DMAX_NOTED=8",
        "-DMAX_LISTED=12",
        f"-DTARGET={target}",
        f"-I{build.HERE}",
        f"-I{FOLDER}",
        "tests/fuzz/kernel.c",
        *sources,
    ]
    subprocess.run([*command, "-o", str(output)], check=True)
    return output


def seeds(target: str) -> Iterator[bytes]:
    """Yield what a target starts from: something of every kind that it reads."""
    lines = as_bytes(random_lines(1, 30))
    if target == "feed":
        for log in (lines, *(path.read_bytes() for path in sorted(SAMPLES.glob("*.log")))):
            number = list(PROGRAMS).index(str(detect(log, complete=True)))
            yield from (bytes([number]) + part for part in as_parts(log))
    elif target == "load":
        yield from PROGRAMS.values()
    elif target == "decode":
        aggregator = Aggregator()
        aggregator.feed(lines)
        batches = [batch for _, _, batch in aggregator.drain_batches(1)]
        yield from batches
        yield batches[0] + batches[0]
        aggregator.feed(lines)
        yield from (record[3] * 2 for record in aggregator.drain())
    elif target == "rows":
        aggregator = Aggregator()
        aggregator.feed(lines)
        found = [record[3] for record in aggregator.drain()]
        rows = [struct.pack(">HiiI", 2, 4, number % 4, len(each)) + each for number, each in enumerate(found)]
        yield from (b"".join(rows[at : at + 3]) + b"\xff\xff" for at in range(len(rows)))
    elif target == "days":
        aggregator = Aggregator(kept=EVERYTHING)
        aggregator.feed(lines)
        batches = [batch for _, _, batch in aggregator.drain_batches(1)]
        yield from (touched(batch, number) for batch in batches for number in range(2))
    elif target == "breakdown":
        aggregator = Aggregator(kept=EVERYTHING)
        aggregator.feed(lines)
        breakdowns = [record[4] for record in aggregator.drain()]
        yield from (each * 2 for each in breakdowns)
        yield breakdowns[0] + breakdowns[1]
    elif target == "route":
        code = compile_routes(parse_routes(["/api/{any}/resource1", "GET /a.{x}/b", "/"]))
        yield bytes([len(code)]) + code + lines
    elif target == "address":
        yield b"postgresql://u:p%40@h:5432/n?sslmode=verify-full&connect_timeout=5&options=-c%20x%3D1"  # pragma: allowlist secret
        yield b"postgres://u@/n?host=%2Ftmp%2Fsocket&port=5433&application_name=a&channel_binding=prefer"
    else:
        record = created("logs", "a b.log", "v1", "01")
        event = {"Records": [record]}
        detail = {
            "bucket": {"name": "logs"},
            "object": {"key": "a.log", "version-id": "v1", "sequencer": "01"},
            "reason": "PutObject",
            "deletion-type": "Permanently Deleted",
        }
        bridge = {"source": "aws.s3", "detail-type": "Object Deleted", "time": "t", "detail": detail}
        sns = {"Type": "Notification", "Message": json.dumps(event)}
        yield from (json.dumps(each).encode() for each in (event, bridge, sns, {"Event": "s3:TestEvent"}))


def touched(batch: bytes, statistics: int) -> bytes:
    """Return a batch's rows as contributions, twice, with such statistics of their days, or none."""
    out = b""
    for row in values_of_rows(copy_rows(batch, 1, 0)):
        head, summary = row[:3], row[4:-4]  # without the part, and the percentiles
        values = [*head, *summary, *(summary if statistics else [b"\xff" * 4] * len(summary))]
        out += 2 * (struct.pack(">H", len(values)) + b"".join(values))
    return out + b"\xff\xff"


def values_of_rows(rows: bytes) -> Iterator[list[bytes]]:
    """Yield the values of each row of COPY (FORMAT BINARY), with their lengths."""
    at = 0
    while at < len(rows):
        (columns,), at, values = struct.unpack_from(">H", rows, at), at + 2, []
        for _ in range(columns):
            end = at + 4 + max(0, *struct.unpack_from(">i", rows, at))
            values.append(rows[at:end])
            at = end
        yield values


def as_parts(log: bytes) -> Iterator[bytes]:
    """Yield a log in a few lines at a time: short inputs are mutated better."""
    lines = log.splitlines(keepends=True)
    yield from (b"".join(lines[:2] + lines[at : at + 3]) for at in range(0, len(lines), 3))


def fuzz(target: str, seconds: int) -> int:
    """Fuzz one target; return its exit status."""
    folder = FOLDER / target
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = (
        [sys.executable, "-m", "tests.fuzz.parsers", target]
        if target in PARSERS
        else [compile_kernel(target)]
    )
    options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
    print(f"== {target}, {seconds} s", flush=True)
    with (folder / "log").open("w") as log:
        ended = subprocess.run(
            [*command, *options, f"-artifact_prefix={folder}/", corpus], stderr=log, check=False
        ).returncode
    said = (folder / "log").read_text(errors="replace").splitlines()
    print("\n".join(said[-40:] if ended else [line for line in said if "cov:" in line][-1:]))
    print(f"{len(list(corpus.iterdir()))} inputs in the corpus, status {ended}", flush=True)
    return ended


def main() -> int:
    """Run the command line."""
    seconds, *targets = sys.argv[1:]
    return max([fuzz(target, int(seconds)) for target in targets or TARGETS], key=abs)


if __name__ == "__main__":
    sys.exit(main())
