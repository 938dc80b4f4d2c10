"""Reports of byte ranges, on their way from the members of a cluster to its coordinator."""

import pytest
import sqlalchemy as sa

from processor.dataflow.report import PartReport, in_order, receive, send
from processor.ledger import attempts
from processor.ledger.change import IntegrityError


def report(part: int) -> PartReport:
    return PartReport(
        *(part, 8, 5, 1, {"duration": 2}, 900),
        *(b"\x00digest", b"#Fields: \xff", [(3, "duration", b"\xff broken")]),
    )


def test_a_coordinator_takes_the_reports_of_its_own_attempt(engine: sa.Engine) -> None:
    with engine.connect() as session:
        ours, others = (attempts.begin(session, [("b", key)])[0] for key in ("a.log", "b.log"))
        with engine.begin() as connection:
            send(connection, ours, [report(1)])
            send(connection, others, [report(5)])
            send(connection, ours, [report(0)])
        with engine.begin() as connection:
            assert in_order(receive(connection, ours), 2) == [report(0), report(1)]
            assert receive(connection, ours) == []
            assert receive(connection, others) == [report(5)]


@pytest.mark.parametrize("parts", [[], [0, 2], [0, 1, 1], [0, 1, 2, 3]])
def test_a_byte_range_that_has_not_reported_once_is_an_error(parts: list[int]) -> None:
    with pytest.raises(IntegrityError, match=f"of 3 byte ranges, {len(parts)} have reported"):
        in_order(map(report, parts), 3)
