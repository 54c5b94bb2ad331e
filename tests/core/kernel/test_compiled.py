"""A row has the same bytes wherever it stands, however its numbers lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.core.kernel import compiled
from softmax_cli.core.loss.cross_entropy import cross_entropy_gradient
from softmax_cli.core.softmax.softmax import log_softmax, softmax
from tests.core.kernel import digests
from tests.core.kernel.digests import DTYPES, Targets
from tests.core.kernel.test_choice import has_kernel

pytestmark = [has_kernel, pytest.mark.usefixtures("kernel")]

T = 0.7
LN_2 = (0.6931471805599453, 2.3190468138462996e-17)
PRODUCTS = ("softmax", "log_softmax", "log_softmax_from_left")
Change = Callable[[NDArray[Any]], NDArray[Any]]


class Rows:
    """Logits, vectors, targets and weights of some rows."""

    def __init__(self, name: str, classes: int) -> None:
        self.a = digests.logits(name, classes, 3)
        self.v = digests.numbers(name, classes, 4)
        self.Y = digests.numbers("float64", classes, 5)
        self.rest = self.Y * 2.0**-55
        self.labels = np.arange(digests.ROWS)[:, None] * 5 % classes
        self.scales, self.scale_rests = digests.columns(6)

    def results(self, rows: Any = ..., change: Change = np.array) -> list[NDArray[Any]]:
        """What each operation makes of some rows, whose operands are changed."""

        def given(array: NDArray[Any]) -> NDArray[Any]:
            return change(array[rows])

        a, v, weights = given(self.a), given(self.v), (given(self.scales), given(self.scale_rests))
        labels = Targets(False, given(self.labels), None, weights)
        soft = Targets(True, given(self.Y), given(self.rest), weights)
        outs = [change(np.empty_like(self.a[rows])) for _ in range(6)]
        compiled.softmax(a, T, outs[0])
        compiled.log_softmax(a, T, outs[1], LN_2)
        losses = [compiled.losses(a, labels, T, LN_2, outs[2], (3.0, 0.0))]
        for of, out in zip(PRODUCTS, outs[3:], strict=True):
            compiled.product(of, a, v, T, (T, 0.0), out)
        losses += [compiled.losses(a, soft, T, LN_2), *compiled.log_odds(a, T)]
        losses += [compiled.slopes(a, each, T) for each in (labels, soft)]
        return [*outs, *losses, *map(np.atleast_1d, compiled.likeliest(a))]


def _bytes(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()


@pytest.mark.parametrize("classes", [1, 3, 128, 129, 2049])
@pytest.mark.parametrize("name", DTYPES)
def test_any_rows_in_any_order(name: str, classes: int) -> None:
    rows = Rows(name, classes)
    together = rows.results()
    for chosen in ([18], [0], [7, 3], [*range(18, -1, -1)], [4] * 17 + [2, 16], range(1, 17)):
        for alone, of_all in zip(rows.results(list(chosen)), together, strict=True):
            assert _bytes(alone) == _bytes(of_all[list(chosen)])


def _swapped(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder(">")) if array.dtype.kind != "V" else array.copy()


def _misaligned(array: NDArray[Any]) -> NDArray[Any]:
    raw = np.empty(array.nbytes + 1, np.uint8)[1:]
    result = raw.view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def _sparse(array: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3]


def _backwards(array: NDArray[Any]) -> NDArray[Any]:
    return array[::-1, ::-1].copy()[::-1, ::-1]


@pytest.mark.parametrize("classes", [3, 129])
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, _swapped, _misaligned, _sparse, _backwards],
    ids=lambda f: f.__name__,
)
def test_any_layout(change: Change, name: str, classes: int) -> None:
    rows = Rows(name, classes)
    for found, expected in zip(rows.results(change=change), rows.results(), strict=True):
        assert _bytes(found) == _bytes(expected)


@pytest.mark.parametrize("classes", [3, 128, 129, 5000])
@pytest.mark.parametrize("name", DTYPES)
def test_in_place(name: str, classes: int) -> None:
    rows = Rows(name, classes)
    labels = Targets(False, rows.labels)

    def gradients(a: NDArray[Any], out: NDArray[Any]) -> None:
        compiled.losses(a, labels, T, LN_2, out)

    operations: list[Callable[[NDArray[Any], NDArray[Any]], None]] = [
        lambda a, out: compiled.softmax(a, T, out),
        lambda a, out: compiled.log_softmax(a, T, out, LN_2),
        gradients,
    ]
    for of in PRODUCTS:
        operations += [
            lambda a, out, of=of: compiled.product(of, a, rows.v, T, (1.0, 0.0), out),  # type: ignore[misc]
            lambda v, out, of=of: compiled.product(of, rows.a, v, T, (1.0, 0.0), out),  # type: ignore[misc]
        ]
    for operation in operations:
        expected, room = np.empty_like(rows.a), rows.a.copy()
        operation(rows.a, expected)
        operation(room, room)
        assert room.tobytes() == expected.tobytes()


@pytest.mark.parametrize("classes", [3, 129, 5000])
@pytest.mark.parametrize("name", DTYPES)
def test_with_the_likeliest_classes(name: str, classes: int) -> None:
    rows = Rows(name, classes)
    tops = compiled.likeliest(rows.a)[0]
    for targets in (Targets(False, rows.labels), Targets(True, rows.Y)):
        found = compiled.losses(rows.a, targets, T, LN_2, tops=tops)
        assert found.tobytes() == compiled.losses(rows.a, targets, T, LN_2).tobytes()
        found = compiled.slopes(rows.a, targets, T, tops)
        assert found.tobytes() == compiled.slopes(rows.a, targets, T).tobytes()


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8"])
def test_the_other_byte_order_of_a_caller(dtype: str) -> None:
    a = digests.numbers("float16", 11, 9).astype(dtype)
    native = a.astype(a.dtype.newbyteorder("="))
    for function in (softmax, log_softmax):
        assert _bytes(function(a)) == _bytes(function(native))
    labels = np.arange(len(a)) % 11
    assert _bytes(cross_entropy_gradient(a, labels)) == _bytes(
        cross_entropy_gradient(native, labels)
    )


def test_what_does_not_fit_is_an_error() -> None:
    a, column = np.ones((3, 4)), np.ones((3, 1))
    for label in (-1, 4, 2**40):
        with pytest.raises(ValueError, match="no class"):
            compiled.losses(a, Targets(False, np.array([[0], [1], [label]])), T, LN_2)
    for wrong in (
        Targets(False, np.zeros((2, 1), np.int64)),
        Targets(True, np.ones((3, 5))),
        Targets(True, np.ones((3, 4)), np.ones((3, 3))),
        Targets(False, np.zeros((3, 1), np.int64), None, (column, np.ones((4, 1)))),
    ):
        with pytest.raises(ValueError, match=r"\d+ bytes for \d+ numbers"):
            compiled.losses(a, wrong, T, LN_2)
    with pytest.raises(ValueError, match="bytes for"):
        compiled.softmax(a, T, np.empty((3, 5)))
    with pytest.raises(ValueError, match="bytes for"):
        compiled.product("softmax", a, np.ones((2, 4)), T, (1.0, 0.0), np.empty((3, 4)))


def test_an_exact_sum_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = digests.wholes(100, 1, 53) * 2.0**-1000
    x[5] = x[90] = 0
    whole = sum(int(each * 2.0**1000) << 74 for each in x.tolist())
    x[5] = x[90] = np.inf
    assert compiled.exact_sum(x) == (whole, np.inf)
    monkeypatch.setattr(compiled, "_MOST_NUMBERS", 7)
    assert compiled.exact_sum(x) == (whole, np.inf)
