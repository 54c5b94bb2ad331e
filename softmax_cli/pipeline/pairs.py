"""Two inputs row by row: labels, targets or vectors beside the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from softmax_cli.errors import InputError
from softmax_cli.formats.blocks import Block, Portion, Source
from softmax_cli.pipeline.ledger import in_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray


def peeked(source: Source) -> tuple[Source, bool]:
    """Return the source, and whether it has a single row, found out by reading the first ones."""
    if source.rows is not None:
        return source, source.rows == 1
    portions = source.portions()
    first: list[Portion] = []
    while sum(portion.rows for portion in first) < 2 and (portion := next(portions, None)):
        first.append(portion)
    single = sum(portion.rows for portion in first) == 1
    return replace(source, portions=lambda: chain(first, portions)), single


def paired(
    source: Source,
    other: Source,
    *,
    every_row: bool = False,
    as_: Literal["partner", "weights"] = "partner",
) -> Source:
    """Return the source with the other's rows beside its own.

    With `every_row`, an other of one single row goes with every row of the source.
    """
    import numpy as np

    other, single = peeked(other)
    several = not (single and every_row)
    rows = source.rows if source.within is None else source.within.of
    if several and other.rows is not None and rows is not None and other.rows != rows:
        remedy = "a row goes with a row"
        if other.classes == 1 and other.rows == rows * source.classes:
            remedy = "labels are one number a row, and --targets takes one-hot rows"
        problem = f"has {other.rows} rows, and {source.place} has {rows}"
        raise InputError(problem, remedy, other.place)
    if several:
        other = other.between(source.within)

    def portions() -> Iterator[Portion]:
        reader = RowReader(other)
        row = reader.take(1, source.place) if single and every_row else None
        for portion in source.portions():
            if row is not None:
                partner = np.broadcast_to(row, (portion.rows, other.classes))
            else:
                partner = reader.take(portion.rows, source.place)
            yield portion.then(partial(_beside, as_, partner))
        reader.finish(source.place)

    return replace(
        source,
        portions=portions,
        paths=(*source.paths, *other.paths),
        warnings=(*source.warnings, *other.warnings),
    )


def _beside(as_: Literal["partner", "weights"], rows: NDArray[Any], block: Block) -> Block:
    return replace(block, partner=rows) if as_ == "partner" else replace(block, weights=rows)


class RowReader:
    """Reads rows of a source in portions of the caller's size, to pair them with another's."""

    def __init__(self, source: Source) -> None:
        """Read nothing yet."""
        self._source = source
        self._blocks = in_turn(source).blocks()
        self._rest: NDArray[Any] | None = None

    def take(self, count: int, partner: str) -> NDArray[Any]:
        """Return the next `count` rows; a source that ends before them is an error."""
        rows = self.up_to(count)
        if count and (rows is None or len(rows) < count):
            raise InputError(
                f"has fewer rows than {partner}", "a row goes with a row", self._source.place
            )
        if rows is None:
            import numpy as np

            from softmax_cli.bfloat16 import in_memory

            return np.empty((0, self._source.classes), in_memory(self._source.dtype))
        return rows

    def up_to(self, count: int) -> NDArray[Any] | None:
        """Return the next rows, at most `count`; None if there are no more."""
        import numpy as np

        parts: list[NDArray[Any]] = []
        missing = count
        while missing:
            if self._rest is None or not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block.values
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else None

    def finish(self, partner: str) -> None:
        """Raise an error if rows are left."""
        left = self._rest is not None and len(self._rest)
        if left or any(len(block.values) for block in self._blocks):
            raise InputError(
                f"has more rows than {partner}", "a row goes with a row", self._source.place
            )
