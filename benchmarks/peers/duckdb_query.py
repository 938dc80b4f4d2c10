"""DuckDB: one SQL query over its parallel reader of CSV or JSON."""

from pathlib import Path

import duckdb

from benchmarks.peers import Row

QUERY = """
SELECT customer, day::VARCHAR, count(*), count(*) FILTER (status // 100 = 4), count(*) FILTER (status // 100 = 5),
    sum(duration), max(duration), quantile_disc(duration, [0.5, 0.9, 0.95, 0.99])
FROM ({})
GROUP BY customer, day
"""


def _csv(columns: int, quote: str, **used: str) -> str:
    """Read fields between spaces; of the columns that are used by the number, the type."""
    types = ", ".join(f"'c{n}': '{used.get(f'c{n}', 'VARCHAR')}'" for n in range(columns))
    how = f"delim = ' ', header = false, quote = '{quote}', escape = '', auto_detect = false"
    return f"read_csv(?, {how}, columns = {{{types}}})"


_NATIVE = _csv(6, "", c0="DATE", c4="SMALLINT", c5="DECIMAL(9, 3)")
TIMED = _csv(6, "", c0="DATE", c1="TIME", c4="SMALLINT", c5="DECIMAL(9, 3)")
"""The native log with the time of day."""
_ALB = _csv(
    30, '"', c1="TIMESTAMP", c5="DECIMAL(9, 3)", c6="DECIMAL(9, 3)", c7="DECIMAL(9, 3)", c8="SMALLINT"
)
_API_GATEWAY = """read_json(?, format = 'newline_delimited', columns = {
    'principalId': 'VARCHAR', 'requestTime': 'VARCHAR', 'status': 'SMALLINT', 'responseLatency': 'INTEGER'})"""
_NGINX = _csv(11, '"', c6="SMALLINT", c10="DECIMAL(9, 3)")
SOURCES = {
    ".log": f"SELECT c2 AS customer, c0 AS day, c4 AS status, c5 AS duration FROM {_NATIVE}",
    ".aws-alb": f"""SELECT split_part(split_part(c12, '/', 3), '.', 1) AS customer, c1::DATE AS day, c8 AS status,
        c5 + c6 + c7 AS duration FROM {_ALB}""",
    ".aws-apigateway": f"""SELECT principalId AS customer, strptime(left(requestTime, 11), '%d/%b/%Y')::DATE AS day, status,
        responseLatency AS duration FROM {_API_GATEWAY}""",
    ".nginx": f"""SELECT c2 AS customer, strptime(c3[2:12], '%d/%b/%Y')::DATE AS day, c6 AS status, c10 AS duration
        FROM {_NGINX}""",
}
MICROS = {".aws-apigateway": 1_000}
"""In a unit of the durations; where they are not seconds."""


def aggregate(path: Path, threads: int) -> list[Row]:
    """Durations are decimals or integers: exact, and twice as fast as doubles (a histogram is ten times slower)."""
    with duckdb.connect(config={"threads": threads}) as connection:
        rows = connection.execute(QUERY.format(SOURCES[path.suffix]), [str(path)]).fetchall()
    micros = MICROS.get(path.suffix, 1_000_000)
    return [(*row[:5], *(int(duration * micros) for duration in (row[5], *row[7], row[6]))) for row in rows]
