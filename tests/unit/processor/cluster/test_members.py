"""Processes that read another version, or share the work otherwise, are another cluster."""

from dataclasses import replace

from processor.cluster.members import Layout
from processor.reading.objects import LocalFile

LOG = LocalFile("/logs/a.log", 1_000, 1)
LAYOUT = Layout(("a:1", "b:1"), 4)


def test_a_cluster_is_named_after_its_processes_and_the_version_of_the_object() -> None:
    names = [
        LAYOUT.name(LOG),
        LAYOUT.name(replace(LOG, modified_ns=2)),
        LAYOUT.name(replace(LOG, size=1_001)),
        replace(LAYOUT, workers=5).name(LOG),
        replace(LAYOUT, addresses=("b:1", "a:1")).name(LOG),
    ]
    assert len(set(names)) == len(names)
    assert Layout(("a:1", "b:1"), 4).name(replace(LOG)) == names[0]
