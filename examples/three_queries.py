"""Three questions to an incident, asked with DuckDB of what `reprise snapshot export --format parquet` wrote.

pip install duckdb
reprise snapshot export snapshots/6f0c1d2e --format parquet --out incident
python examples/three_queries.py incident
"""

import sys
from pathlib import Path

import duckdb

QUERIES = {
    "Which services fail, and how slow are they?": """
        SELECT service, count(*) AS requests,
               round(100.0 * count(*) FILTER (status = 'ERROR') / count(*), 1) AS failed_percent,
               round(quantile_cont(duration_us, 0.95) / 1000, 1) AS p95_ms
        FROM spans WHERE kind IN ('server', 'consumer')
        GROUP BY service ORDER BY failed_percent DESC, service
    """,
    "What was changed, and when?": """
        SELECT time, observation, kind, name
        FROM objects WHERE observation NOT IN ('BASE', 'RECORDED') AND kind NOT IN ('Event', 'Lease')
        ORDER BY time, kind, name
    """,
    "What did the pods that Events warn about write last?": """
        SELECT logs.pod, max(logs.time) AS last_line_at, arg_max(logs.body, logs.time_ns) AS last_line
        FROM logs WHERE pod IN (SELECT name FROM events WHERE type = 'Warning' AND kind = 'Pod')
        GROUP BY logs.pod ORDER BY logs.pod
    """,
}


def ask(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every query, by its question."""
    with duckdb.connect() as database:
        for file in sorted(folder.glob("*.parquet")):
            database.from_parquet(str(file)).create_view(file.stem)
        return {question: database.sql(query).fetchall() for question, query in QUERIES.items()}


def main() -> None:
    for question, rows in ask(Path(sys.argv[1])).items():
        print(question)
        for row in rows:
            print("   ", *row, sep="\t")


if __name__ == "__main__":
    main()
