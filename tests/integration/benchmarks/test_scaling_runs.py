"""The runs of `make scaling`, small ones: real processes on a real PostgreSQL."""

import pytest

from benchmarks.scaling import query
from benchmarks.scaling.costs import fit
from benchmarks.scaling.laboratory import laboratory
from benchmarks.scaling.workload import Workload


@pytest.mark.nightly
def test_every_ingest_is_measured() -> None:
    """Commits and their lock are recognised; were they not, the benchmark would be out of date."""
    workload = Workload(4, 200, 5)
    with laboratory() as lab:
        shared, apart = lab.run(workload, 2), lab.run(workload, 2, apart=True)
        alone = lab.run(workload, 1)
        queries = query.measure(lab.year(), lab.postmaster, runs=1)
    assert [len(ingests) for ingests in shared.ingests] == [2, 2]
    assert [len(ingests) for ingests in apart.ingests] == [4, 4]
    for run in (shared, apart, alone):
        for one in (one for ingests in run.ingests for one in ingests):
            assert 0 < one.held < one.seconds < run.seconds
            assert one.outside > 0
            assert 0 < one.held_cpu < one.cpu
            assert one.held_database_cpu > 0
        assert run.database_cpu >= 0  # counted in ticks of 10 ms, which so few ingests may not fill
        assert run.row_bytes > 100
    found = fit([(workload, alone)])
    assert found.read_phase(workload).seconds > 0
    assert found.commit_phase(workload, 1).seconds > 0
    assert 0 < queries.row < queries.request < 1
    assert 0 < queries.database_share < 1
