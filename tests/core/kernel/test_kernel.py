"""The compiled kernel refuses operands that do not fit, whoever calls it."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from softmax_cli.core.kernel import compiled
from tests.core.kernel.test_choice import has_kernel

pytestmark = has_kernel

OPERATIONS = range(11)
SOFTMAX, LOG_SOFTMAX, LOG_ODDS, LIKELIEST, LOSSES, PRODUCTS, SLOPES, *_ = OPERATIONS
*_, LOSS_ERRORS, PRODUCT_ERRORS, SCORES, CONVERT = OPERATIONS
COMPARISONS = (LOSS_ERRORS, PRODUCT_ERRORS)
FLOAT32, FLOAT64 = 2, 3
ROWS, CLASSES = 3, 4
NUMBERS = compiled._numbers(1.0)
ERRORS = (ValueError, TypeError, BufferError, OverflowError, MemoryError)


def matrix(rows: int = ROWS, classes: int = CLASSES) -> Any:
    return np.ones((rows, classes))


def column(rows: int = ROWS) -> Any:
    return np.ones(rows)


def labels(*wanted: int) -> Any:
    return np.array(wanted or (0, 1, 3), np.int64)


def call(kernel: Any, operation: int = SOFTMAX, **changed: Any) -> None:
    """Call an operation with operands that fit, except those that are changed."""
    given: dict[str, Any] = {"rows": ROWS, "classes": CLASSES, "a": matrix(), "out": matrix()}
    given |= {"b": matrix(), "labels": labels(), "first": column(), "second": column()}
    given |= dict.fromkeys(("a_type", "b_type", "out_type", "claimed_type"), FLOAT64)
    given |= dict.fromkeys(("rest", "tops", "scales", "scale_rests", "claimed", "tolerances"))
    if operation == SLOPES:
        given["first"] = matrix(ROWS, 4)
    if operation in COMPARISONS:
        given |= {"claimed": matrix(), "tolerances": matrix(ROWS, 3), "first": matrix(ROWS, 7)}
    given |= {"numbers": NUMBERS, "is_one": False} | changed
    kernel.compute(
        operation,
        *(given["rows"], given["classes"], (given["a"], given["a_type"])),
        (given["b"], given["b_type"], given["rest"], given["is_one"]),
        (given["out"], given["out_type"]),
        (given["claimed"], given["claimed_type"], given["tolerances"]),
        (given["labels"], given["tops"], given["scales"], given["scale_rests"]),
        (given["first"], given["second"]),
        given["numbers"],
    )


def misaligned(rows: int = ROWS, classes: int = CLASSES) -> Any:
    raw = np.zeros(8 * rows * classes + 1, np.uint8)[1:]
    return raw.view(np.float64).reshape(rows, classes)


def read_only() -> Any:
    result = matrix()
    result.flags.writeable = False
    return result


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operands_that_fit(operation: int, kernel: Any) -> None:
    call(kernel, operation)
    others = {
        "scales": column(),
        "scale_rests": column(),
        "rest": matrix(),
        "tops": labels(3, 1, 0),
    }
    call(kernel, operation, **others)
    call(kernel, operation, b=matrix(1), rest=matrix(1), is_one=True)


@pytest.mark.parametrize("operation", [-1, 1000, 2**31 - 1, -(2**31), 2**31, 2**80, 0.5, None])
def test_an_operation_that_there_is_not(operation: Any, kernel: Any) -> None:
    with pytest.raises(ERRORS):
        call(kernel, operation)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "changed",
    [
        *({"a": each} for each in (None, matrix(2), matrix(4), matrix()[:, :3], misaligned())),
        *({"a": each} for each in (1.0, "1", b"", [1.0], np.ones((4, 3)).T, bytearray(95))),
        *({"a_type": each} for each in (-1, 4, FLOAT32, 2**31, 2**70, None, 1.5)),
        *({"b": each} for each in (matrix(2), np.ones((ROWS, CLASSES), np.float32), misaligned())),
        *({"b_type": 9, "b": matrix()}, {"is_one": True}, {"is_one": True, "b": matrix(0)}),
        *({"rest": each} for each in (matrix(4), misaligned())),
        *({"out": each} for each in (matrix(2), matrix(4), read_only(), misaligned(), b"1" * 96)),
        *({"out_type": each} for each in (-1, 4, FLOAT32)),
        *({"claimed": each} for each in (matrix(2), matrix(4), misaligned(), b"1")),
        *({"claimed": matrix(), "claimed_type": each} for each in (-1, 4, FLOAT32)),
        *({"claimed": matrix(), "tolerances": each} for each in (matrix(ROWS, 2), column())),
        *({"labels": each} for each in (labels(0, 1), labels(0, 1, 2, 3), misaligned(1, ROWS))),
        *({"tops": each} for each in (labels(0, 1), labels(0, 1, 2, 3), misaligned(1, ROWS))),
        *({"labels": labels(0, 1, each)} for each in (4, -1, 2**62, -(2**63))),
        *({"tops": labels(0, 1, each)} for each in (4, -1, 2**62, -(2**63))),
        *({"scales": each, "scale_rests": column()} for each in (None, column(2), misaligned(1))),
        *({"scales": column(), "scale_rests": each} for each in (None, column(2), misaligned(1))),
        *({"first": each} for each in (column(2), matrix(ROWS, 3), matrix(ROWS, 5))),
        *({"second": each} for each in (column(2), matrix(ROWS, 2))),
        *({"numbers": each} for each in (None, NUMBERS[:-1], np.append(NUMBERS, 1), 1.0)),
        *({"rows": each} for each in (-1, 0, 2, 4, sys.maxsize, -sys.maxsize - 1, 2**64)),
        *({"classes": each} for each in (-4, 0, 3, 5, sys.maxsize, -sys.maxsize - 1, 2**64)),
        *({"rows": 2**each, "classes": 2 ** (64 - each)} for each in (1, 4, 32, 60, 62)),
        *({"rows": -ROWS, "classes": -CLASSES}, {"rows": 4, "classes": 3, "labels": labels()}),
    ],
    ids=str,
)
def test_operands_that_do_not_fit(changed: dict[str, Any], operation: int, kernel: Any) -> None:
    with pytest.raises(ERRORS):
        call(kernel, operation, **changed)


@pytest.mark.parametrize(
    ("operation", "missing"),
    [
        *((each, "out") for each in (SOFTMAX, LOG_SOFTMAX, PRODUCTS, CONVERT)),
        *((each, "first") for each in (LOG_ODDS, LIKELIEST, LOSSES, SLOPES, SCORES)),
        *(
            (each, missing)
            for each in COMPARISONS
            for missing in ("claimed", "tolerances", "first")
        ),
        *((LOSS_ERRORS, "labels"), (PRODUCT_ERRORS, "b")),
        *((LOG_ODDS, "second"), (LIKELIEST, "second"), (PRODUCTS, "b"), (LOSSES, "labels")),
        *((SCORES, "second"), (SCORES, "labels")),
    ],
)
def test_a_missing_operand(operation: int, missing: str, kernel: Any) -> None:
    with pytest.raises(ValueError, match="an operand is missing"):
        call(kernel, operation, **{missing: None})


@pytest.mark.parametrize("operation", [LOSSES, SLOPES])
def test_neither_labels_nor_targets(operation: int, kernel: Any) -> None:
    call(kernel, operation, labels=None, out=None)
    with pytest.raises(ValueError, match="an operand is missing"):
        call(kernel, operation, labels=None, b=None, out=None)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("hostile", [np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, -1.0, 5e-324])
def test_numbers_of_any_kind(hostile: float, operation: int, kernel: Any) -> None:
    call(kernel, operation, a=matrix() * hostile, b=matrix() * hostile)
    call(kernel, operation, a=column(ROWS * CLASSES).cumsum() * hostile, tops=labels())
    for place in range(NUMBERS.size):
        numbers = NUMBERS.copy()
        numbers[place] = hostile
        with suppress(ValueError):
            call(kernel, operation, numbers=numbers)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_rows(operation: int, kernel: Any) -> None:
    none = np.empty(0)
    empty = dict.fromkeys(("a", "b", "out", "labels", "first", "second"), none)
    if operation in COMPARISONS:
        empty |= {"claimed": none, "tolerances": none}
    for classes in (1, 7, 3000):
        call(kernel, operation, rows=0, classes=classes, **empty)


@pytest.mark.parametrize("count", [-1, 2, 4, 2**29 + 1, -(2**61), 2**61, 2**64])
def test_an_exact_sum_of_another_length(count: int, kernel: Any) -> None:
    with pytest.raises(ERRORS):
        kernel.add_exactly(column(), count, np.zeros(68, np.int64))
    with pytest.raises(ERRORS):
        kernel.add_exactly(column(0), count, np.zeros(68, np.int64))


@pytest.mark.parametrize("words", [np.zeros(67), np.zeros(69), b"0" * 544, None, misaligned(1, 68)])
def test_an_exact_sum_into_other_words(words: Any, kernel: Any) -> None:
    with pytest.raises(ERRORS):
        kernel.add_exactly(column(), ROWS, words)


def test_an_exact_sum_of_nothing(kernel: Any) -> None:
    with pytest.raises(ValueError, match="an operand is missing"):
        kernel.add_exactly(None, 0, np.zeros(68))
