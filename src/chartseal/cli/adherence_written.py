"""Result tables as files, which only their owner reads."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from chartseal.cli.files import write_private

WRITTEN = (".csv", ".json", ".parquet")


def write_table(path: str, table: pa.Table) -> None:
    """Write as the file's name says: CSV, Parquet, or a JSON list of rows.

    Raises:
        DisclosureFormError: `file_unwritable`.
    """
    suffix, buffer = Path(path).suffix.lower(), io.BytesIO()
    if suffix == ".json":
        buffer.write(json.dumps(table.to_pylist(), ensure_ascii=False, default=str).encode() + b"\n")
    elif suffix == ".parquet":
        pa.parquet.write_table(table, buffer)
    else:
        pa.csv.write_csv(table, buffer)
    write_private(path, buffer.getvalue())
