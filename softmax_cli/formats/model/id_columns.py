"""Id columns: they pass through unchanged, each with the type it has in the input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.text.cells import cell_content, cell_text, quote
from softmax_cli.formats.text.json_values import json_text

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Chosen = slice | NDArray[np.intp]

T = TypeVar("T")


class IdColumn(ABC):
    """The entries of one id column, in the order of the rows."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, chosen: Chosen) -> Self: ...

    @abstractmethod
    def texts(self) -> list[str]:
        """Return the entries as texts; a missing one is empty."""

    @abstractmethod
    def json(self) -> list[str]:
        """Return the JSON text of each entry."""

    @abstractmethod
    def series(self) -> pl.Series:
        """Return the entries as a column of Polars."""

    def cells(self) -> list[bytes]:
        """Return the entries as cells of CSV."""
        return [quote(text.encode()) for text in self.texts()]


@dataclass(frozen=True, eq=False)
class TextColumn(IdColumn):
    """Raw cells of CSV or other text, with quotes and outer blanks.

    numbers  those of the cells, if the column is a class too
    missing  texts of missing numbers
    """

    raw: Sequence[bytes]
    numbers: NDArray[Any] | None = None
    missing: Collection[str] = ()

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, chosen: Chosen) -> TextColumn:
        numbers = None if self.numbers is None else self.numbers[chosen]
        return replace(self, raw=_chosen(self.raw, chosen), numbers=numbers)

    def texts(self) -> list[str]:
        return list(map(cell_content, self.raw))

    def cells(self) -> list[bytes]:
        return list(self.raw)

    def json(self) -> list[str]:
        return list(map(json_text, self.texts() if self.numbers is None else self._present()))

    def series(self) -> pl.Series:
        import polars as pl

        if self.numbers is None:
            return pl.Series(self.texts(), dtype=pl.String)
        return pl.Series(self._present(), dtype=pl.Float64)

    def _present(self) -> list[float | None]:
        """Return the numbers, None for a missing one."""
        assert self.numbers is not None
        pairs = zip(self.raw, self.numbers.tolist(), strict=True)
        return [None if cell_text(cell) in self.missing else number for cell, number in pairs]


@dataclass(frozen=True, eq=False)
class JsonColumn(IdColumn):
    """Values of JSON; `place` and `name` are for errors."""

    values: Sequence[object]
    place: str
    name: str

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, chosen: Chosen) -> JsonColumn:
        return replace(self, values=_chosen(self.values, chosen))

    def texts(self) -> list[str]:
        return list(map(_text, self.values))

    def json(self) -> list[str]:
        return list(map(json_text, self.values))

    def series(self) -> pl.Series:
        import polars as pl

        values: list[Any] = list(self.values)
        present = [value for value in values if value is not None]
        kinds = {type(value) for value in present}
        if float in kinds and kinds <= {int, float}:
            floats = [None if value is None else float(value) for value in values]
            if floats == values:
                return pl.Series(floats, dtype=pl.Float64)
        if not kinds:
            return pl.Series(values, dtype=pl.Null)
        if kinds in ({str}, {bool}):
            return pl.Series(values, dtype=pl.String if kinds == {str} else pl.Boolean)
        if kinds == {int}:
            least, most = min(present), max(present)
            if least >= -(1 << 63) and most < 1 << (63 if least < 0 else 64):
                return pl.Series(values, dtype=pl.Int64 if most < 1 << 63 else pl.UInt64)
        raise unfit_column(self.name, self.place)


def _text(value: object) -> str:
    if isinstance(value, (str, float)):
        return str(value)
    return "" if value is None else json_text(value)


def unfit_column(name: str, place: str) -> InputError:
    """Return the error for an id column that Parquet and Arrow cannot hold."""
    problem = f"no type of Parquet and Arrow holds all values of id column {shorten(name)!r}"
    return InputError(problem, "write jsonl, which keeps the type of each value", place)


@dataclass(frozen=True, eq=False)
class IdColumns:
    """The id columns of a block of rows; selecting from it selects rows."""

    columns: tuple[IdColumn, ...]

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, chosen: Chosen) -> IdColumns:
        return IdColumns(tuple(column[chosen] for column in self.columns))

    def repeated(self, times: int) -> IdColumns:
        """Return the columns with each row that many times."""
        import numpy as np

        return self[np.arange(len(self)).repeat(times)] if times != 1 else self

    def cells(self) -> Iterator[tuple[bytes, ...]]:
        """Yield each row as cells of CSV."""
        return zip(*(column.cells() for column in self.columns), strict=True)

    def texts(self, row: int) -> tuple[str, ...]:
        """Return the texts of a row."""
        return tuple(column[row : row + 1].texts()[0] for column in self.columns)

    def json(self) -> Iterator[tuple[str, ...]]:
        """Yield the JSON texts of each row."""
        return zip(*(column.json() for column in self.columns), strict=True)

    def series(self) -> list[pl.Series]:
        """Return the columns as those of Polars."""
        return [column.series() for column in self.columns]


def id_columns(columns: Sequence[IdColumn]) -> IdColumns | None:
    """Return the id columns of a block; None if there are none."""
    return IdColumns(tuple(columns)) if columns else None


def _chosen(entries: Sequence[T], chosen: Chosen) -> Sequence[T]:
    if isinstance(chosen, slice):
        return entries[chosen]
    return [entries[row] for row in chosen.tolist()]
