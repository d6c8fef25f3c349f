"""PostgreSQL with spans."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg2
import psycopg2.extensions
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from shop import telemetry

_CONNECTION_AGE_SECONDS = 8.0
# Shorter than the time limit of a call, so that callers get the reason and not their own deadline.
_LIMITS: dict[str, Any] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 2,
    "options": "-c statement_timeout=2500",
}
_DOTNET_NAMES = {
    "host": "host",
    "username": "user",
    "password": "password",
    "database": "dbname",
    "port": "port",
}

Row = tuple[Any, ...]


class DatabaseError(Exception):
    """The database could not be reached or refused the statement."""


def connection_string(text: str) -> str:
    """A libpq connection string for one in .NET's form (`Host=…;Username=…`); others are libpq's already.

    Raises ValueError for a .NET keyword that is not known.
    """
    if ";" not in text:
        return text
    pairs = [part.split("=", 1) for part in text.split(";") if part]
    unknown = [pair[0] for pair in pairs if len(pair) != 2 or pair[0].lower() not in _DOTNET_NAMES]
    if unknown:
        raise ValueError(f"expected keywords of {sorted(_DOTNET_NAMES)}, found {unknown}")
    return " ".join(f"{_DOTNET_NAMES[key.lower()]}={value}" for key, value in pairs)


def _translated(error: psycopg2.Error) -> DatabaseError:
    """libpq's messages have several lines; a log line and a status have one."""
    return DatabaseError(" ".join(str(error).split()))


class Database:
    """A few connections to one database. Safe for use by several threads."""

    def __init__(self, text: str) -> None:
        self._dsn = connection_string(text)
        # NB: a URL is a connection string too; only its parsed form tells the host.
        parsed = psycopg2.extensions.parse_dsn(self._dsn)
        self._attributes: dict[str, AttributeValue] = {
            "db.system": "postgresql",
            "db.system.name": "postgresql",
            "db.name": parsed["dbname"],
            "db.namespace": parsed["dbname"],
            "server.address": parsed["host"],
            "server.port": int(parsed.get("port", "5432")),
        }
        self._idle: list[tuple[float, psycopg2.extensions.connection]] = []

    def query(self, table: str, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of one SELECT. Raises DatabaseError."""
        with self._connection() as connection, self._span(table, statement), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def write(self, statements: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]) -> None:
        """(table, statement, rows) each, all in one transaction. Raises DatabaseError."""
        with self._connection() as connection:
            for table, statement, rows in statements:
                with self._span(table, statement), connection.cursor() as cursor:
                    for row in rows:
                        cursor.execute(statement, row)

    @contextlib.contextmanager
    def _span(self, table: str, statement: str) -> Iterator[None]:
        operation = statement.split(maxsplit=1)[0]
        attributes = {
            **self._attributes,
            "db.operation.name": operation,
            "db.collection.name": table,
            "db.statement": statement,
            "db.query.text": statement,
        }
        with telemetry.span(f"{operation} {table}", SpanKind.CLIENT, attributes):
            try:
                yield
            except psycopg2.Error as error:
                raise _translated(error) from error

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg2.extensions.connection]:
        """A connection with a transaction around the block; after a failure it is not used again."""
        born, connection = self._take()
        try:
            yield connection
            connection.commit()
        except psycopg2.Error as error:
            connection.close()
            raise _translated(error) from error
        except BaseException:
            connection.close()
            raise
        self._idle.append((born, connection))

    def _take(self) -> tuple[float, psycopg2.extensions.connection]:
        now = time.monotonic()
        while self._idle:
            try:
                born, connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            # Old connections are closed: they would outlive a change of their Service.
            if now - born < _CONNECTION_AGE_SECONDS:
                return born, connection
            connection.close()
        with telemetry.span("connect", SpanKind.CLIENT, self._attributes):
            try:
                return now, psycopg2.connect(self._dsn, **_LIMITS)
            except psycopg2.Error as error:
                raise _translated(error) from error
