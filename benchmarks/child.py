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


def main() -> None:
    name, file, threads = sys.argv[1:]
    peer = importlib.import_module(f"benchmarks.peers.{name}")
    with peer.prepared() if hasattr(peer, "prepared") else nullcontext(peer.aggregate) as aggregate:
        started, cpu = time.perf_counter(), time.process_time()
        result = aggregate(Path(file), int(threads))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        rows = result() if callable(result) else result
    digest = hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "rows": len(rows), "digest": digest}))


if __name__ == "__main__":
    main()
