"""Compare how fast other formats are read, and write them into docs/performance.md: ``python -m benchmarks.formats``."""

import argparse
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import process_time
from uuid import UUID

from blake3 import blake3

from benchmarks.figures import renew, table
from benchmarks.run import NAMES, PAGE, Results, compare, kept, log, machine, median_of, section
from logstats.formats import presets
from logstats.native import Aggregator, compile_format
from processor.reading.lines import BLOCK_BYTES
from processor.reading.objects import LocalFile, fill

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Example-Client/2.1 (Linux; x86_64)",
    "python-requests/2.32.3",
)
PHI = 0x9E3779B97F4A7C15F39CC0605CEDC835
"""Its multiples look random; real identifiers are, and do not compress."""
MONTHS = {"09": "Sep", "10": "Oct"}
ALB = (
    "https {day}T{time}.{micros:06}Z app/api-prod/0123456789abcdef {client}:{port} {target} 0.001 {serving:.3f} 0.000 {status}"
    ' {status} {received} {sent} "GET https://{customer}.api.example.com:443{path}?page={page} HTTP/2.0" "{agent}"'
    " TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/api/0123456789abcdef"
    ' "Root=1-66d6a0b0-{trace.hex:.24}" "{customer}.api.example.com"'
    ' "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000" 0 {day}T{time}.000000Z'
    ' "forward" "-" "-" "{target}" "{status}" "-" "-" TID_{id.hex}\n'
)
API_GATEWAY = (
    '{{"requestId":"{id}","ip":"{client}","caller":"-","user":"-","requestTime":"{clf}",'
    '"httpMethod":"GET","resourcePath":"/v1/{{proxy+}}","path":"/prod{path}","status":"{status}","protocol":"HTTP/1.1",'
    '"responseLength":"{sent}","responseLatency":"{ms}","integrationLatency":"{page}","apiKeyId":"key{page}",'  # pragma: allowlist secret
    '"principalId":"{customer}","domainName":"api.example.com","stage":"prod"}}\n'
)
NGINX = '{client} - {customer} [{clf}] "GET {path}?page={page} HTTP/2.0" {status} {sent} "-" "{agent}" {seconds}\n'
AIMS: dict[str, tuple[str, dict[tuple[str, int], float | None]]] = {
    ".aws-alb": (ALB, {("duckdb_query", 2): 8.0}),
    ".aws-apigateway": (API_GATEWAY, {("duckdb_query", 2): 4.0}),
    ".nginx": (NGINX, {("duckdb_query", 2): None, ("goaccess", 1): 150.0}),
}
"""The template of each format, and how many times as fast as each peer its reader should be, if there is an aim."""


def rendered(template: str, number: int, line: str) -> str:
    """Return a native line as one of another format, and what that has besides as the number says."""
    day, time, customer, path, status, duration = line.split(" ")
    year, month, date = day.split("-")
    ms = int(duration.replace(".", ""))
    drawn = number * PHI % (1 << 32)
    return template.format(
        day=day, time=time, customer=customer, path=path, status=status, seconds=duration, ms=ms,
        clf=f"{date}/{MONTHS[month]}/{year}:{time} +0000", serving=(ms - 1) / 1000, micros=drawn % 1_000_000,
        id=UUID(int=number * PHI % (1 << 128)), trace=UUID(int=drawn * PHI % (1 << 128)),
        client=f"198.51.{drawn >> 24}.{drawn >> 16 & 255}", port=1024 + drawn % 50_000, target=f"10.0.3.{drawn % 20}:8080",
        received=drawn % 1_000, sent=drawn % 100_000, page=drawn % 90, agent=AGENTS[drawn % len(AGENTS)],
    )  # fmt: skip


def log_of(suffix: str, template: str, lines: int) -> Path:
    """Render the native log in another format, once."""
    native = log(lines)

    def blocks() -> Iterator[bytes]:
        with native.open() as file:
            for number, line in enumerate(file):
                yield rendered(template, number, line.rstrip("\n")).encode()

    return kept(native.with_suffix(suffix), blocks)


def gzipped(path: Path) -> Path:
    """Compress a log as `gzip` does, once."""

    def blocks() -> Iterator[bytes]:
        stream = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                yield stream.compress(block)
        yield stream.flush()

    return kept(path.with_name(f"{path.name}.gz"), blocks)


def parts(path: Path, runs: int) -> list[str]:
    """Return the CPU seconds that one core takes to read a log from the page cache, to digest it, and to parse it."""
    program, buffer = compile_format(presets()[path.suffix[1:]]), bytearray(BLOCK_BYTES)

    def fastest(use: Callable[[int], object]) -> float:
        found = []
        for _ in range(runs):
            opened, started = LocalFile.at(path).open_range(0, path.stat().st_size), process_time()
            while count := fill(opened, memoryview(buffer)):
                use(count)
            found.append(process_time() - started)
            opened.close()
        return min(found)

    hasher, aggregator = blake3(), Aggregator(program=program)
    reading = fastest(lambda _: None)
    digesting = fastest(lambda count: hasher.update(memoryview(buffer)[:count])) - reading
    parsing = fastest(lambda count: aggregator.feed(buffer, buffer.rfind(b"\n", 0, count) + 1)) - reading
    return [f"{seconds:.2f}" for seconds in (reading, digesting, parsing)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    absent = set() if shutil.which("goaccess") else {("goaccess", 1)}
    digests = set[str]()  # of all formats: they have the same requests
    introduction = f"{machine()} {'GoAccess is not installed, so it is left out.' if absent else ''}".rstrip()
    aims: list[Sequence[str]] = [("", "against", "times as fast", "times less CPU", "aim")]
    costs: list[Sequence[str]] = [("", "read", "BLAKE3", "parse")]
    logs: dict[str, Results] = {}
    for suffix, (template, peers) in AIMS.items():
        path = log_of(suffix, template, options.lines)
        costs.append((suffix[1:], *parts(path, options.runs)))
        for each, others in ((path, peers), (gzipped(path), {("ours_zlib", 2): 1.8})):
            contenders = [("ours", 2), *(peer for peer in others if peer not in absent)]
            results = compare(contenders, each, options.runs, digests)
            name = each.name.partition(".")[2]
            logs[f"{name}, {each.stat().st_size / 1e6:,.0f} MB"] = results
            ours, *theirs = results.values()
            for peer, other in zip(contenders[1:], theirs, strict=True):
                times = [f"{median_of(other, key) / median_of(ours, key):.1f}" for key in ("seconds", "cpu")]
                aim = others[peer]
                aims.append((name, NAMES[peer[0]], *times, f"{aim:g}" if aim else ""))
    floor = (
        "CPU seconds that one core takes to read a log from the page cache, to digest it, and to parse it:"
    )
    every = section("Each log", options.lines, *logs.values(), names=[*logs])
    page = "\n\n".join((introduction, table(*aims), floor, table(*costs), every))
    renew(PAGE, page, "formats")
    print(page)


if __name__ == "__main__":
    main()
