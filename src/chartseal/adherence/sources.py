"""Where events come from: files of rows, SQL tables, FHIR; which it is told by content, not by name.

DuckDB reads files and its own databases, Ibis the others, both as streams: memory is bounded by the batch.
"""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from chartseal import _core
from chartseal.adherence.database import connect, quoted
from chartseal.adherence.fhir import ClassTable, read_events
from chartseal.adherence.fhir.reader import FILES
from chartseal.adherence.tables import ROWS, Columns, EventTable, require_one
from chartseal.errors import AdherenceError, CoreError

_HEAD = 1 << 20
"""Bytes that are looked at."""
_LONGEST_LINE = 16 << 20
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_SCHEMES = ("sqlite://", "postgresql://", "postgres://", "duckdb://")
_ISO = "%Y-%m-%d"
_TEXTS = ("patient", "medication_class", "ingredient", "group", "kind", "event")


def read_table(
    place: str | Path,
    *,
    columns: Columns | None = None,
    classes: ClassTable | None = None,
    date_format: str = _ISO,
) -> EventTable:
    """A table of events: Parquet, CSV, JSON rows, packed or not, a folder of Parquet, FHIR, or `scheme://…#table`.

    Schemes are `sqlite:///file`, `duckdb:///file` and `postgresql://user@host/database`. Dates of CSV and JSON rows are
    ISO ones unless `date_format` (strftime's letters) says otherwise: 04/05/2031 is never guessed. Of CSV, patients and
    classes, by the names that `columns` gives them, are text, so that 007 stays 007. `classes` are for FHIR.

    Raises:
        AdherenceError: `source_missing`, `source_unreadable`, `source_unknown`, `source_empty`, `table_missing`.
    """
    if is_url(place):
        return _of_database(str(place))
    path = _existing(place)
    kind = kind_of(path)
    if kind == "fhir":
        return read_events(path, classes).events
    try:
        return _of_file(path, kind, columns or Columns(), date_format)
    except duckdb.Error as exc:
        raise AdherenceError("the rows cannot be read", "source_unreadable", path.name) from exc


def is_url(place: str | Path) -> bool:
    """Whether it names a table of a database."""
    return isinstance(place, str) and place.startswith(_SCHEMES)


def is_fhir(place: str | Path) -> bool:
    """Whether `place` holds FHIR resources rather than rows.

    Raises:
        AdherenceError: as `read_table`.
    """
    return not is_url(place) and kind_of(_existing(place)) == "fhir"


def _existing(place: str | Path) -> Path:
    path = Path(place)
    if not path.exists():
        raise AdherenceError("there is no such file, folder or table", "source_missing", path.name)
    return path


def kind_of(path: Path) -> str:
    """`fhir`, `parquet`, `json` or `csv`.

    Raises:
        AdherenceError: `source_unreadable`, `source_unknown`, `source_empty`.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    head = _head(path)
    if head.startswith(_PARQUET):
        return "parquet"
    begins = head.lstrip()[:1]
    if not begins:
        raise AdherenceError("the file is empty", "source_empty", path.name)
    if begins == b"{":
        return "fhir" if _names_a_resource(head) else "json"
    if begins == b"[":
        return "json"
    if b"\0" in head:
        raise AdherenceError(
            "neither rows nor FHIR; a database is named as sqlite:///file#table", "source_unknown", path.name
        )
    return "csv"


def _kind_of_folder(path: Path) -> str:
    if any(path.rglob("*.parquet")):
        return "parquet"
    if any(True for pattern in FILES for _ in path.rglob(pattern)):
        return "fhir"
    raise AdherenceError("the folder holds neither Parquet nor FHIR files", "source_empty", path.name)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            if stream.read(2) == _GZIP:
                stream.seek(0)
                return gzip.GzipFile(fileobj=stream).read(_HEAD)
            stream.seek(0)
            return stream.read(_HEAD)
    except (OSError, EOFError) as exc:
        raise AdherenceError("cannot be read", "source_unreadable", path.name) from exc


def _names_a_resource(head: bytes) -> bool:
    """Whether the first object has a `resourceType`; a Bundle may name it after its entries."""
    with suppress(CoreError):
        splitter = _core.BundleSplitter()
        splitter.feed(head)
        return splitter.kind[0] is not None
    line = head.partition(b"\n")[0]  # what follows a whole first object is its fault alone
    with suppress(CoreError):
        return _core.resource_kind(line)[0] is not None
    return False


def _of_file(path: Path, kind: str, columns: Columns, date_format: str) -> duckdb.DuckDBPyRelation:
    connection = _connection()
    place = _literal(path)
    if kind == "parquet":
        return connection.read_parquet(f"{place}/**/*.parquet" if path.is_dir() else place, union_by_name=False)
    packed = "gzip" if _is_packed(path) else "none"
    if kind == "json":
        read = "FROM read_json(?, compression = ?, maximum_object_size = ?, sample_size = -1"
        return _of_rows(connection, read, [place, packed, _LONGEST_LINE], {}, columns, date_format)
    return _of_csv(connection, place, packed, columns, date_format)


def _of_csv(
    connection: duckdb.DuckDBPyConnection, place: str, packed: str, columns: Columns, date_format: str
) -> duckdb.DuckDBPyRelation:
    """Columns of names are text; of the others DuckDB sees which are numbers and dates, over the whole file."""
    options = [place, packed, _LONGEST_LINE]
    read = "FROM read_csv(?, compression = ?, max_line_size = ?, sample_size = -1"
    present = connection.sql(f"{read}, header = true, all_varchar = true)", params=options).columns
    head = connection.sql(f"{read}, header = false, all_varchar = true) LIMIT 1", params=options).fetchall()
    for name in present:
        require_one([str(each).strip() for row in head for each in row], name)  # DuckDB renames the second one
    named = _TEXTS if date_format == _ISO else (*_TEXTS, "date", "end")  # 04052031 is no number
    texts = {name: "VARCHAR" for name in (getattr(columns, each, each) for each in named) if name in present}
    return _of_rows(connection, f"{read}, header = true", options, texts, columns, date_format)


def _of_rows(
    connection: duckdb.DuckDBPyConnection,
    read: str,
    options: list[Any],
    types: dict[str, str],
    columns: Columns,
    date_format: str,
) -> duckdb.DuckDBPyRelation:
    """Rows whose dates, if they are no ISO ones, are read one by one: one that is none is null, and ends no others."""
    typed, options = (", types = ?", [*options, types]) if types else ("", options)
    found = connection.sql(f"{read}, dateformat = '{_ISO}'{typed})", params=options)
    if date_format == _ISO:
        return found
    formed, days = duckdb.ConstantExpression(date_format), (columns.date, columns.end)
    return found.select(*(_day(name, formed) if name in days else _column(name) for name in found.columns))


def _day(name: str, date_format: duckdb.Expression) -> duckdb.Expression:
    written = _column(name).cast("VARCHAR")
    return duckdb.FunctionExpression("try_strptime", written, date_format).cast("DATE").alias(name)


def _column(name: str) -> duckdb.Expression:
    return duckdb.ColumnExpression(name)


def _connection() -> duckdb.DuckDBPyConnection:
    """DuckDB that fetches no extension and reads nothing by network."""
    connection = connect()
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    return connection


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def _literal(path: Path) -> str:
    """A path with nothing of it read as a pattern."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


def _of_database(url: str) -> EventTable:
    """The rows of one table, as a stream.

    Raises:
        AdherenceError: `table_missing`, `source_unreadable`, `source_missing`; none repeats the URL and its password.
    """
    address, _, table = url.rpartition("#")
    if not table or not address:
        raise AdherenceError("name the table after #", "table_missing")
    scheme, _, place = address.partition("://")
    try:
        if scheme == "duckdb":
            return _of_duckdb(_existing(place.removeprefix("/")), table)
        return _of_ibis(scheme, place, address, table)
    except AdherenceError:
        raise
    except Exception as exc:  # each backend has errors of its own
        raise AdherenceError("the database cannot be read", "source_unreadable") from exc


def _of_duckdb(path: Path, table: str) -> duckdb.DuckDBPyRelation:
    connection = connect(str(path), read_only=True)
    if (table,) not in connection.execute("SELECT table_name FROM information_schema.tables").fetchall():
        raise AdherenceError("the database has no such table", "table_missing")
    return connection.table(quoted(table))


def _of_ibis(scheme: str, place: str, address: str, table: str) -> pa.RecordBatchReader:
    import ibis

    if scheme == "sqlite":
        connection = ibis.sqlite.connect(_existing(place.removeprefix("/")))
    else:
        connection = ibis.connect(address)
    if table not in connection.list_tables():
        raise AdherenceError("the database has no such table", "table_missing")
    return connection.table(table).to_pyarrow_batches(chunk_size=ROWS)
