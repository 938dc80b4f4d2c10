"""Processes of a cluster find their attempt by the ledger's locks, and no other."""

import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from processor.ledger import attempts, membership


def test_the_newest_attempt_of_the_cluster_is_found_while_it_lives(engine: sa.Engine) -> None:
    """A run before it has died, and nobody has collected it yet; another cluster reads the same object."""
    with engine.connect() as dying, engine.connect() as living, engine.connect() as other:
        for connection, cluster in ((dying, "ours"), (living, "ours"), (other, "other")):
            attempt_id = attempts.begin(connection, [("b", "a.log")])[0]
            membership.announce(engine, attempt_id, cluster)
        dying.invalidate()
        assert membership.find(engine, "b", "a.log", "ours") == 2
        assert membership.find(engine, "b", "a.log", "other") == 3
        assert membership.find(engine, "b", "a.log", "nobody's") is None
        assert membership.find(engine, "b", "b.log", "ours") is None
        living.invalidate()


def test_an_attempt_of_another_database_is_not_ours(engine: sa.Engine, server: EmbeddedPostgres) -> None:
    """It has the same number, and its lock is one of the same server."""
    server.create_database("another_cluster", template="migrated")
    another = create_engine(server.settings("another_cluster"))
    with another.connect() as living:
        attempt_id = attempts.begin(living, [("b", "a.log")])[0]
        with membership.join(another, attempt_id):
            assert membership.is_alive(another, attempt_id)
            assert membership.count_members(another, attempt_id) == 1
            assert not membership.is_alive(engine, attempt_id)
            assert membership.count_members(engine, attempt_id) == 0
    another.dispose()
