"""What the function has imported is of no interest to the garbage collector."""

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]

FULL_COLLECTION = """
import gc, json, sys
import processor.handler
frozen, seen = gc.get_freeze_count(), len(gc.get_objects(generation=2))
print(json.dumps([frozen, seen, gc.isenabled()]))
"""


def test_a_full_collection_leaves_out_what_was_imported() -> None:
    """It took 50 ms each time, under the lock of the customers: docs/decisions/0009."""
    paths = f"{CHECKOUT / 'layers'}:{CHECKOUT / 'functions'}"
    done = subprocess.run(
        [sys.executable, "-c", FULL_COLLECTION],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    frozen, seen, enabled = json.loads(done.stdout)
    assert frozen > 50_000
    assert seen < frozen / 10
    assert enabled
