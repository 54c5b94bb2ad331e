"""Writes the data frames of the folder `pandas_index`: every kind of index, as pandas stores it.

    pip install pandas==3.1.1 pyarrow==26.0.1
    python -m tests.peers.make.pandas_index

The tests read the files and need neither of the two.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent.parent / "files" / "pandas_index"
LOGITS = np.array([[2.0, 1.0, 0.5], [0.0, 1.5, -1.0], [1.0, 1.0, 3.0]])


def main() -> None:
    """Write data frames with every kind of index, as Parquet and as Arrow."""
    HERE.mkdir(exist_ok=True)
    pd: Any = import_module("pandas")
    pa: Any = import_module("pyarrow")
    pq: Any = import_module("pyarrow.parquet")
    feather: Any = import_module("pyarrow.feather")
    numbered = pd.Index([1001, 1002, 1003], name="sample")
    several = pd.MultiIndex.from_arrays([[7, 7, 8], [1, 2, 1]], names=["fold", "n"])
    words = pd.Index(["r1", "r2", "r3"], name="sample")
    for name, index in {
        "range": None,
        "named_range": pd.RangeIndex(3, name="sample"),
        "unnamed": pd.Index([5, 6, 9]),
        "named": numbered,
        "several": several,
        "words": words,
    }.items():
        frame = pd.DataFrame(LOGITS, columns=["a", "b", "c"], index=index)
        table = pa.Table.from_pandas(frame)
        pq.write_table(table, HERE / f"{name}.parquet")
        feather.write_feather(table, HERE / f"{name}.feather", compression="uncompressed")
    frame = pd.DataFrame(LOGITS, columns=["a", "b", "c"], index=numbered)
    frame.to_parquet(HERE / "by_pandas.parquet", compression="zstd")
    labelled = frame.assign(label=[0, 1, 2]).set_index("label", append=True)
    labelled.to_parquet(HERE / "labelled.parquet")
    with pa.OSFile(str(HERE / "batches.arrow"), "wb") as file:
        table = pa.Table.from_pandas(frame)
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=1)
    _write_others(pa, pq, feather)


def _write_others(pa: Any, pq: Any, feather: Any) -> None:
    """Write what is not read here: encrypted, of older formats, of types that Polars lacks."""
    table = pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    feather.write_feather(table, HERE / "version1.feather", version=1)
    with (
        pa.OSFile(str(HERE / "stream.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as writer,
    ):
        writer.write_table(table)
    union = pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1.0, 2.0])])
    views = pa.array([[1.0], [2.0]], pa.list_view(pa.float64()))
    for name, column in (("union", union), ("list_view", views)):
        other = pa.table({"a": [1.0, 2.0], "x": column})
        with (
            pa.OSFile(str(HERE / f"{name}.arrow"), "wb") as file,
            pa.ipc.new_file(file, other.schema) as writer,
        ):
            writer.write_table(other)
    encryption: Any = import_module("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):  # type: ignore[misc]
        def wrap_key(self, key: bytes, _: str) -> bytes:
            return key

    for plain in (False, True):
        configuration = encryption.EncryptionConfiguration(
            footer_key="footer", column_keys={"columns": ["a", "b"]}, plaintext_footer=plain
        )
        factory = encryption.CryptoFactory(lambda _: Keys())
        properties = factory.file_encryption_properties(
            encryption.KmsConnectionConfig(), configuration
        )
        path = HERE / f"encrypted_{'columns' if plain else 'whole'}.parquet"
        with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
            writer.write_table(table)


if __name__ == "__main__":
    main()
