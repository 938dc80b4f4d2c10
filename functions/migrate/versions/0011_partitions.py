"""The functions that make and drop partitions of contributions and daily statistics, one a month.

Here nothing is partitioned: `migrate.partitions` does that once this transaction is over, while everybody goes on writing. Who writes
may make partitions, and who expires may drop them, without owning the tables: so the functions run as their owner.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

_PARTITIONS_OF = r"""
CREATE FUNCTION partitions_of(parent regclass) RETURNS TABLE (partition regclass, until date)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT oid::regclass, substring(pg_get_expr(relpartbound, oid) FROM 'TO \(''(.*?)''\)')::date
    FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = parent
$$
"""
"""Partitions, and the first day that is behind each."""

_MAKE = """
CREATE FUNCTION make_partitions(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    month date;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(1819240309);
    FOREACH parent IN ARRAY ARRAY['contributions', 'daily_statistics'] LOOP
        FOR month IN
            SELECT DISTINCT date_trunc('month', day)::date FROM unnest(days) AS day
            WHERE day BETWEEN '1970-01-01' AND '2199-12-31' ORDER BY 1
        LOOP
            name := parent || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(name) IS NOT NULL OR EXISTS (
                SELECT FROM partitions_of(parent::regclass) WHERE partition = to_regclass(parent || '_before') AND until > month
            );
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                parent, name, month, (month + interval '1 month')::date
            );
        END LOOP;
    END LOOP;
END $$
"""
"""Makes the missing partitions of the months of some days. Attaching a table that is empty blocks nobody who reads or writes."""

_DROP = """
CREATE FUNCTION drop_expired_partition(parent text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    boundary date;
    found regclass;
    bytes bigint;
    is_staged boolean;
BEGIN
    SELECT CASE parent WHEN 'contributions' THEN sealed WHEN 'daily_statistics' THEN horizon END INTO boundary FROM retention;
    IF NOT EXISTS (SELECT FROM partitions_of(parent::regclass) WHERE until <= boundary) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
    FOR found IN SELECT partition FROM partitions_of(parent::regclass) WHERE until <= boundary ORDER BY until LOOP
        IF parent = 'contributions' THEN
            EXECUTE format(
                'SELECT EXISTS (SELECT FROM attempts WHERE NOT committed'
                ' AND EXISTS (SELECT FROM %s WHERE attempt_id = attempts.id))', found
            ) INTO is_staged;
            CONTINUE WHEN is_staged;
        END IF;
        bytes := pg_total_relation_size(found);
        EXECUTE format('DROP TABLE %s', found);
        RETURN bytes;
    END LOOP;
    RETURN NULL;
END $$
"""
"""Drops the oldest partition that is behind the horizon of its table, and returns its bytes; null if there is none. One
in which an attempt that is not committed has staged something stays for the next run. Readers wait for the second at most in which this waits for a lock."""


def upgrade() -> None:
    for statement in (_PARTITIONS_OF, _MAKE, _DROP):
        op.execute(statement)
    for function in ("make_partitions(date[])", "drop_expired_partition(text)"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
