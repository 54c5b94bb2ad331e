"""The two classes of --binary: their labels, and checks of the probabilities of class 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block, OneColumn
from softmax_cli.formats.text.cell_kinds import cell_kind
from softmax_cli.losses.class_labels import Names
from softmax_cli.losses.distributions import above_zero

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINARY_LABELS = "labels of --binary are 0 and 1, -1 and 1, or true and false"


@dataclass(frozen=True)
class BinaryNames(Names):
    """Finds the class of a label of --binary: -1 is class 0, unless 0 is a label too."""

    place: str = "labels"

    @cached_property
    def _zeros(self) -> set[float]:
        """Which of 0 and -1 occur as labels."""
        return set()

    @property
    def words(self) -> set[str]:
        return super().words | {"true", "false", "True", "False", "TRUE", "FALSE"}

    @property
    def _are_counted(self) -> bool:
        return False

    def _no_class(self, text: str, place: str) -> InputError:
        error = super()._no_class(text, place)
        if self.class_names is None and cell_kind(text, self.missing) == "name":
            error.remedy = f"{BINARY_LABELS}, or the names of --class-names"
        return error

    def _number(self, text: str | None, value: float | None, place: str) -> float | None:
        number = super()._number(text, value, place)
        if number == value and value in (0, -1):
            number = 0.0
            self._zeros.add(value)
            if len(self._zeros) > 1:
                problem = "has both labels 0 and -1, and either could be class 0"
                remedy = "--ignore-label -1 leaves out rows without a label"
                raise InputError(problem, f"{BINARY_LABELS}; {remedy}", self.place)
        return number


def check_numbers(
    block: Block, column: OneColumn, used: NDArray[np.bool_], *, highest: float
) -> None:
    """Refuse numbers of class 1 that are not probabilities or log-probabilities.

    used     (rows,) which rows are not ignored
    highest  1 for probabilities, 0 for logarithms
    """
    numbers = block.values[:, 1]
    wrong = used & ((numbers > highest) | ((numbers < 0) & (highest == 1)))
    if not wrong.any():
        return
    row = int(wrong.argmax())
    place = column.cell(block.place(row))
    if highest == 0:
        raise above_zero(numbers[row], place)
    problem = f"probabilities are from 0 to 1, got {numbers[row]:g}"
    remedy = "--from log-probabilities takes their logarithms, --from logits any numbers"
    raise InputError(problem, remedy, place)
