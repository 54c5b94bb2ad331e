"""Writes the files of the folders `pyarrow`, `polars` and `duckdb`.

pip install pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
python -m tests.peers.make.columnar_files
"""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.peers.rows import FILES, IDS, LABELS, LOGITS, NAMES, SPECIES


def main(folder: Path = FILES) -> None:
    """Write the files of all three."""
    for name in ("pyarrow", "polars", "duckdb"):
        (folder / name).mkdir(exist_ok=True)
    write_pyarrow(folder / "pyarrow")
    write_polars(folder / "polars")
    write_duckdb(folder / "duckdb")


def write_pyarrow(folder: Path) -> None:
    """Write tables of every type of column, and every kind of file that holds them."""
    pa: Any = import_module("pyarrow")
    pq: Any = import_module("pyarrow.parquet")
    feather: Any = import_module("pyarrow.feather")
    columns = dict(zip(NAMES, np.array(LOGITS).T, strict=True))
    ids, label = pa.array(IDS), pa.array(SPECIES)
    table = pa.table({"id": ids, **columns, "label": label})
    for codec in ("lz4", "zstd", "uncompressed"):
        feather.write_feather(table, folder / f"{codec}.feather", compression=codec)
    for version in ("1.0", "2.6"):
        pq.write_table(table, folder / f"version{version}.parquet", version=version)
    pq.write_table(table, folder / "pages2.parquet", data_page_version="2.0", compression="gzip")
    with (
        pa.OSFile(str(folder / "stream.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=2)
    flat = pa.array(np.array(LOGITS).reshape(-1))
    rows = [list(row) for row in LOGITS]
    ragged = [rows[0], rows[1][:2], *rows[2:]]
    types = {
        "list": pa.array(rows),
        "list32": pa.array(rows, pa.list_(pa.float32())),
        "large_list": pa.array(rows, pa.large_list(pa.float64())),
        "fixed_size_list": pa.FixedSizeListArray.from_arrays(flat, len(NAMES)),
        "null_list": pa.array([rows[0], None, *rows[2:]]),
        "ragged_list": pa.array(ragged),
    }
    for name, column in types.items():
        lists = pa.table({"id": ids, "logits": column, "label": pa.array(LABELS)})
        pq.write_table(lists, folder / f"{name}.parquet")
        feather.write_feather(lists, folder / f"{name}.feather", compression="uncompressed")
    pq.write_table(
        pa.table({"logits": types["list"], "hidden": types["list"]}), folder / "two.parquet"
    )
    dictionary = table.set_column(4, "label", label.dictionary_encode())
    stamps = pa.array([10**18 + number for number in IDS], pa.timestamp("ns"))
    structs = pa.array([dict(zip(NAMES, row, strict=True)) for row in rows])
    others = {
        "dictionary": dictionary,
        "timestamps": table.set_column(0, "id", stamps),
        "dates": table.set_column(0, "id", pa.array([19000 + n for n in range(5)], pa.date32())),
        "binary_ids": table.set_column(0, "id", pa.array([b"\x00\xff%d" % n for n in IDS])),
        "decimals": pa.table(
            {
                name: pa.array([Decimal(str(cell)) for cell in column], pa.decimal128(9, 3))
                for name, column in columns.items()
            }
        ),
        "booleans": pa.table(
            {name: pa.array([each == name for each in SPECIES]) for name in NAMES}
        ),
        "structs": pa.table({"logits": structs}),
    }
    for name, other in others.items():
        pq.write_table(other, folder / f"{name}.parquet")
        feather.write_feather(other, folder / f"{name}.feather", compression="uncompressed")
    import_module("pyarrow.csv").write_csv(table, folder / "table.csv")


def write_polars(folder: Path) -> None:
    """Write a data frame, and one of lists, in every format."""
    pl: Any = import_module("polars")
    frame = pl.DataFrame(
        {
            "id": IDS,
            **dict(zip(NAMES, zip(*LOGITS, strict=True), strict=True)),
            "label": pl.Series(SPECIES, dtype=pl.Enum(NAMES)),
        },
        strict=False,
    )
    frame.write_csv(folder / "frame.csv")
    frame.write_csv(folder / "european.csv", separator=";", decimal_comma=True)
    frame.write_json(folder / "frame.json")
    frame.write_ndjson(folder / "frame.ndjson")
    frame.write_parquet(folder / "frame.parquet")
    frame.write_ipc(folder / "frame.arrow")
    frame.write_ipc_stream(folder / "stream.arrows")
    lists = pl.DataFrame({"logits": [list(row) for row in LOGITS], "label": LABELS})
    lists.write_ndjson(folder / "lists.ndjson")
    lists.write_parquet(folder / "lists.parquet")
    arrays = lists.with_columns(pl.col("logits").cast(pl.Array(pl.Float32, len(NAMES))))
    arrays.write_parquet(folder / "arrays.parquet")
    arrays.write_ipc(folder / "arrays.arrow")


def write_duckdb(folder: Path) -> None:
    """Copy a table to every format; its literals are decimals, as DuckDB takes them."""
    duckdb: Any = import_module("duckdb")
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    rows = ", ".join(
        f"({number}, {', '.join(map(str, row))}, '{name}')"
        for number, row, name in zip(IDS, LOGITS, SPECIES, strict=True)
    )
    names = ", ".join(NAMES)
    connection.execute(f"CREATE TABLE t AS FROM (VALUES {rows}) AS v(id, {names}, label)")
    lists = f"(SELECT id, [{names}]::DOUBLE[] AS logits, label FROM t)"
    arrays = f"(SELECT id, [{names}]::FLOAT[3] AS logits, label FROM t)"
    for source, name in (
        ("t", "table.csv"),
        ("t", "table.json"),
        ("t", "table.parquet"),
        (lists, "lists.csv"),
        (lists, "lists.json"),
        (lists, "lists.parquet"),
        (arrays, "arrays.parquet"),
    ):
        connection.execute(f"COPY {source} TO '{folder / name}'")
    connection.execute(f"COPY t TO '{folder / 'array.json'}' (ARRAY true)")
    connection.execute(f"COPY t TO '{folder / 'semicolons.csv'}' (DELIMITER ';')")
    pa: Any = import_module("pyarrow")
    reader = connection.sql("FROM t").to_arrow_reader(2)
    with (
        pa.OSFile(str(folder / "stream.arrow"), "wb") as file,
        pa.ipc.new_stream(file, reader.schema) as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)


if __name__ == "__main__":
    main()
