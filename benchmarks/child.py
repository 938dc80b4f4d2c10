"""One run of one peer in a process of its own: prints seconds, peak memory and a digest of the result.

``python -m benchmarks.child PEER FILE THREADS``
"""

import hashlib
import importlib
import json
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path

WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
UNIT = 1 if sys.platform == "darwin" else 1024


def used() -> tuple[float, int]:
    """Return CPU seconds and peak memory, those of ended child processes too."""
    usages = [resource.getrusage(who) for who in WHO]
    peak = max(each.ru_maxrss for each in usages) * UNIT
    return sum(each.ru_utime + each.ru_stime for each in usages), peak


def main() -> None:
    name, file, threads = sys.argv[1:]
    peer = importlib.import_module(f"benchmarks.peers.{name}")
    with peer.prepared() if hasattr(peer, "prepared") else nullcontext(peer.aggregate) as aggregate:
        (before, _), started = used(), time.perf_counter()
        result = aggregate(Path(file), int(threads))
        seconds, (after, peak) = time.perf_counter() - started, used()
        rows = result() if callable(result) else result
    digest = None if rows is None else hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()
    print(json.dumps({"seconds": seconds, "cpu": after - before, "peak": peak, "digest": digest}))


if __name__ == "__main__":
    main()
