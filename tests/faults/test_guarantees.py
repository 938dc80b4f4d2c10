"""Each promise of docs/guarantees.md names the tests that show it. (That they exist, `test_documentation` tests.)"""

import re
from pathlib import Path

GUARANTEES = Path(__file__).parents[2] / "docs" / "guarantees.md"


def test_every_outcome_names_its_test() -> None:
    section = GUARANTEES.read_text(encoding="utf-8").partition("## Outcomes")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 30
    unproved = [row for row in rows if not re.search(r"`test_\w+`[ |`\w,]*\|$", row)]
    assert not unproved, unproved
