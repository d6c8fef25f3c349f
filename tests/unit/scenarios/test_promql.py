"""Slips of the pen in PromQL."""

import pytest

from reprise.domain import promql


@pytest.mark.parametrize(
    "query",
    [
        "up",
        'sum by (a) (rate(x_total{namespace=$namespace, b!~"c.*"}[1m])) > 0.1',
        "histogram_quantile(0.95, sum by (le) (rate(x_bucket[1m30s]))) > 1500",
        "a == bool 0 and on (x) group_left (y) b offset 5m",
        "max_over_time(x[10m:5s]) @ 1700000000 # why",
        "-up + (-1)",
        "2 * -x ^ 3 % 4",
        "x == -1",
    ],
)
def test_good(query: str) -> None:
    assert promql.problem(query) == ""


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sum(up", "expected '(' at column 4 to be closed"),
        ("sum(up))", "expected brackets that match, found ')' at column 8"),
        ("up{a=[}", "expected brackets that match, found '}' at column 7"),
        ('up{a="b}', "expected PromQL, found '\"' at column 6"),
        ("up ? 1", "expected PromQL, found '?' at column 4"),
        ("up >", "expected something after '>' at the end"),
        ("> up", "expected something before '>' at column 1"),
        ("up > > 1", "expected something before '>' at column 6"),
        ("1 + 2", "expected the name of a metric, found none"),
        ("$service", "expected PromQL, found '$' at column 1"),
    ],
)
def test_bad(query: str, problem: str) -> None:
    assert promql.problem(query) == problem
