"""Labels of --binary: -1 is class 0, unless 0 is a label too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.binary import BinaryNames


def _numbers(names: BinaryNames, *texts: str) -> list[float]:
    return names.numbers(texts, lambda row: f"y.csv:{row + 1}")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-1", "1.0", "-1.0"], [1, 0, 1, 0]),
        (["0", "1"], [0, 1]),
        (["true", "False", "TRUE"], [1, 0, 1]),
    ],
)
def test_labels_of_two_classes(texts: list[str], expected: list[float]) -> None:
    assert _numbers(BinaryNames(), *texts) == expected


def test_names_win() -> None:
    assert _numbers(BinaryNames(("no", "yes")), "yes", "no", "1", "-1") == [1, 0, 1, 0]
    assert _numbers(BinaryNames(("true", "false")), "true", "false") == [0, 1]
    assert _numbers(BinaryNames(("1", "-1")), "1", "-1") == [0, 1]


def test_an_ignored_label_is_no_class() -> None:
    found = _numbers(BinaryNames(ignored=("-1",)), "0", "-1", "1")
    assert math.isnan(found.pop(1))
    assert found == [0, 1]


def test_labels_that_mix_0_and_minus_1() -> None:
    said = "y.csv: has both labels 0 and -1, and either could be class 0; labels of --binary are"
    names = BinaryNames(place="y.csv")
    assert _numbers(names, "1", "-1") == [1, 0]
    with pytest.raises(InputError, match=said):
        _numbers(names, "0")
    array = Block(0, np.array([[0], [1], [-1]]), str)
    with pytest.raises(InputError, match=said):
        BinaryNames(place="y.csv").of_array(array)


def test_words_that_are_no_label() -> None:
    with pytest.raises(InputError, match="'yes' is not a class; labels of --binary are 0 and 1, -"):
        _numbers(BinaryNames(), "yes")
