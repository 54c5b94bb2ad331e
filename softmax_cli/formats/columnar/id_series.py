"""Id columns as Polars series: their text, their JSON, and parts of several types joined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.columnar.numbers import WORDS
from softmax_cli.formats.model.id_columns import IdColumn, unfit_column
from softmax_cli.formats.text.json_values import json_text
from softmax_cli.storage.limits import LONGEST_LIST

if TYPE_CHECKING:
    from softmax_cli.formats.model.id_columns import Chosen


@dataclass(frozen=True, eq=False)
class SeriesColumn(IdColumn):
    """A column of Parquet or Arrow, with its type; `place` is for errors."""

    held: pl.Series
    place: str

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, chosen: Chosen) -> SeriesColumn:
        return replace(self, held=self.held[chosen])

    def texts(self) -> list[str]:
        if self.held.dtype.is_nested():
            return ["" if text == "null" else text for text in self.json()]
        return self._as_text(self.held).fill_null("").to_list()

    def json(self) -> list[str]:
        return self._json(self.held)

    def series(self) -> pl.Series:
        return self.held

    def _json(self, held: pl.Series) -> list[str]:
        dtype = held.dtype
        if isinstance(dtype, pl.Struct):
            names = [json_text(field.name) for field in dtype.fields]
            fields = [self._json(held.struct.field(field.name)) for field in dtype.fields]
            rows = zip(*fields, strict=True) if fields else [()] * len(held)
            texts = [
                f"{{{', '.join(f'{name}: {text}' for name, text in zip(names, row, strict=True))}}}"
                for row in rows
            ]
            return _with_nulls(held, texts)
        if isinstance(dtype, pl.Array):
            held = held.arr.to_list()
            dtype = held.dtype
        if isinstance(dtype, pl.List):
            lengths = held.list.len().fill_null(0)
            if dtype.inner == pl.Null and lengths.sum() > LONGEST_LIST:
                problem = f"column {shorten(self.held.name)!r} holds more than {LONGEST_LIST} nulls"
                raise InputError(problem, "leave it out", self.place)
            entries = iter(self._json(held.filter(lengths > 0).explode()))
            lists = ([next(entries) for _ in range(length)] for length in lengths)
            return _with_nulls(held, [f"[{', '.join(each)}]" for each in lists])
        if dtype.is_temporal():
            return list(map(json_text, held.dt.to_string("iso:strict").to_list()))
        texts = self._as_text(held).to_list()
        if dtype.is_float():
            known = {"NaN": '"nan"', "inf": '"inf"', "-inf": '"-inf"', None: "null"}
            return [known.get(text, text) for text in texts]
        if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
            return ["null" if text is None else text for text in texts]
        return list(map(json_text, texts))

    def _as_text(self, held: pl.Series) -> pl.Series:
        if held.dtype == pl.Duration:
            return held.dt.to_string("iso")
        try:
            return held.cast(pl.String)
        except pl.exceptions.PolarsError:
            what = f"column {shorten(self.held.name)!r} holds {shorten(str(held.dtype))} values"
            remedy = "write parquet or arrow, which can hold them"
            raise InputError(f"{what}, which have no text form", remedy, self.place) from None


def _with_nulls(held: pl.Series, texts: list[str]) -> list[str]:
    return ["null" if null else text for null, text in zip(held.is_null(), texts, strict=True)]


def joined_ids(
    parts: list[pl.Series], dtype: pl.DataType | None, name: str, place: str
) -> pl.Series:
    """Return the parts of an id column as one series, of a type that holds all of them exactly.

    Raises an error if there is none, or if it is not the given one.
    """
    kinds = list({part.dtype for part in parts if part.dtype != pl.Null})
    types: list[Any] = kinds
    if dtype is not None and dtype != pl.Null:
        types = [dtype] if all(_alike(dtype, kind) for kind in kinds) else []
    elif dtype is not None and kinds:
        types = []
    elif len(kinds) > 1:
        are_alike = all(_alike(kinds[0], kind) for kind in kinds)
        is_float = any(kind.is_float() for kind in kinds)
        numbers = [pl.Float64] if is_float else [pl.Int64, pl.UInt64]
        types = [] if not are_alike else numbers if kinds[0].is_numeric() else [pl.String]
    for each in types or [pl.Null if parts else pl.String] * (not kinds):
        cast = [_cast(part, each) for part in parts] or [pl.Series(dtype=each)]
        found = [part for part in cast if part is not None]
        if len(found) == len(cast):
            return pl.concat(found)
    raise unfit_column(name, place)


def _alike(one: pl.DataType, other: pl.DataType) -> bool:
    if one == other or (one.base_type() in WORDS and other.base_type() in WORDS):
        return True
    is_number = (each.is_integer() or each.is_float() for each in (one, other))
    return all(is_number)


def _cast(part: pl.Series, dtype: Any) -> pl.Series | None:
    """Return a series of another type; None if it does not hold the values exactly."""
    if part.dtype == dtype:
        return part
    try:
        cast = part.cast(dtype)
        return cast if cast.cast(part.dtype).equals(part) else None
    except pl.exceptions.PolarsError:
        return None


def without_dictionaries(dtype: Any) -> Any:
    """Return the type with strings for categories; enumerations stay."""
    if dtype == pl.Categorical:
        return pl.String
    if isinstance(dtype, pl.List):
        return pl.List(without_dictionaries(dtype.inner))
    if isinstance(dtype, pl.Array):
        return pl.Array(without_dictionaries(dtype.inner), dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: without_dictionaries(field.dtype) for field in dtype.fields})
    return dtype
