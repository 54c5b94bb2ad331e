"""The inputs: each is described by its kind and shape, and made in a process of its own.

A child begins with the peak memory of the program that starts it, so the one that measures must
stay small: it never imports NumPy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal[
    "float32",
    "float64",
    "labels",
    "vector",
    "csv",
    "jsonl",
    "records",
    "gradients",
    "columns",
    "lists",
]

_ROOT = Path(__file__).resolve().parent.parent
_BYTES = dict.fromkeys(get_args(Kind), 4) | {"float64": 8, "labels": 8}
_BYTES |= {"csv": 20, "jsonl": 20, "records": 30}
_PARQUET, _TEXT = ("columns", "lists"), {"csv": "csv", "jsonl": "jsonl", "records": "jsonl"}
_VALUES_AT_ONCE = 1 << 20
_BODY_ROWS = 1_000_000


@dataclass(frozen=True)
class Input:
    """A file of logits, of labels below `columns`, of the gradients of both, or of one vector."""

    kind: Kind
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """The name of the file, which says all that there is to know."""
        suffix = "parquet" if self.kind in _PARQUET else _TEXT.get(self.kind, "npy")
        return f"{self.kind}-{self.rows}x{self.columns}.{suffix}"

    @property
    def size(self) -> int:
        """About how many bytes the file has."""
        across = 1 if self.kind == "labels" else self.columns
        return self.rows * across * _BYTES[self.kind]

    def make(self, folder: Path) -> None:
        """Write the file, if it is not there yet."""
        if not (folder / self.name).exists():
            words = [str(folder.resolve()), self.kind, str(self.rows), str(self.columns)]
            subprocess.run([sys.executable, "-m", __name__, *words], cwd=_ROOT, check=True)


def write(wanted: Input, folder: Path) -> None:
    """Write the file and send it to the disk; it appears whole or not at all."""
    unfinished = folder / f"{wanted.name}.unfinished"
    with unfinished.open("wb") as file:
        if wanted.kind in _TEXT:
            _write_text(file, wanted)
        elif wanted.kind in _PARQUET:
            _write_parquet(file, wanted)
        else:
            _write_npy(file, wanted)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / wanted.name)


def _write_npy(file: IO[bytes], wanted: Input) -> None:
    import numpy as np

    shape: tuple[int, ...] = (wanted.rows, wanted.columns)
    dtype: np.dtype[Any] = np.dtype(np.float32)
    if wanted.kind == "labels":
        shape, dtype = (wanted.rows,), np.dtype(np.int64)
    elif wanted.kind == "vector":
        shape = (wanted.columns,)
    elif wanted.kind == "float64":
        dtype = np.dtype(np.float64)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for values in _values(wanted, dtype):
        file.write(values.tobytes())


def _write_text(file: IO[bytes], wanted: Input) -> None:
    """Write the digits of `repr`; a file of many rows repeats its first million."""
    import numpy as np

    names, form = [f"class_{j}" for j in range(wanted.columns)], ",".join(["%r"] * wanted.columns)
    if wanted.kind == "csv":
        file.write((",".join(names) + "\n").encode())
    elif wanted.kind == "records":
        members = ", ".join(f'"{name}": %r' for name in names)
        form = f"{{{members}}}"
    else:
        form = f"[{form}]"
    body = Input("csv", min(wanted.rows, _BODY_ROWS), wanted.columns)
    lines = [
        form % tuple(row)
        for values in _values(body, np.dtype(np.float64))
        for row in values.tolist()
    ]
    for begin in range(0, wanted.rows, len(lines)):
        file.write(("\n".join(lines[: wanted.rows - begin]) + "\n").encode())


def _write_parquet(file: IO[bytes], wanted: Input) -> None:
    """Write float32 as a column per class, or as one column of lists."""
    import numpy as np
    import polars as pl

    values = np.concatenate(list(_values(wanted, np.dtype(np.float32))))
    table = pl.DataFrame(values, [f"class_{j}" for j in range(wanted.columns)])
    if wanted.kind == "lists":
        table = pl.DataFrame({"logits": values}).select(pl.col("logits").arr.to_list())
    table.write_parquet(file)


def _values(wanted: Input, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Yield the rows, some at a time: the same numbers whenever they are made."""
    import numpy as np

    if wanted.kind == "gradients":
        yield from _gradients(wanted)
        return
    random = np.random.default_rng(0)
    step = max(1, _VALUES_AT_ONCE // wanted.columns)
    for begin in range(0, wanted.rows, step):
        rows = min(step, wanted.rows - begin)
        if wanted.kind == "labels":
            yield random.integers(0, wanted.columns, rows)
        else:
            yield random.standard_normal((rows, wanted.columns)).astype(dtype, copy=False)


def _gradients(wanted: Input) -> Iterator[NDArray[Any]]:
    """Yield (P - Y) / rows of the float32 logits and the labels of that shape, in float32."""
    import numpy as np

    logits, labels = (
        _values(Input(kind, wanted.rows, wanted.columns), np.dtype(np.float32))
        for kind in ("float32", "labels")
    )
    for a, y in zip(logits, labels, strict=True):
        gradients = np.exp(a - a.max(axis=1, keepdims=True))
        gradients /= gradients.sum(axis=1, keepdims=True)
        gradients[np.arange(len(y)), y] -= 1
        gradients /= np.float32(wanted.rows)
        yield gradients


def main(folder: str, kind: str, rows: str, columns: str) -> None:
    """Make one file, as `Input.make` asks for it."""
    known: dict[str, Kind] = {name: name for name in get_args(Kind)}
    write(Input(known[kind], int(rows), int(columns)), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
