"""Jacobians, and products with them, in files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from tests.mutants.cases import Array, Build, Case, Files, Problem, Random
from tests.mutants.dtypes import Rounding, rounding, stored
from tests.mutants.mutations import (
    Mutation,
    diagonal_only,
    entry_is,
    entry_times,
    last_rows_times,
    negated,
    rolled,
    shifted,
    times,
    transposed,
)

Of = Literal["softmax", "log-softmax"]
OF: tuple[Of, ...] = get_args(Of)
# Takes logits (rows, classes), an upstream of their shape, the rounding of a type, and chance.
Written = Callable[[Array, Array, Rounding, Random], Array]


def _unrounded(values: Array) -> Array:
    return values


def _softmax(logits: Array, rounded: Rounding = _unrounded) -> Array:
    exponentials = rounded(np.exp(rounded(logits - logits.max(axis=-1, keepdims=True))))
    return rounded(exponentials / rounded(exponentials.sum(axis=-1, keepdims=True)))


def _jacobian(of: Of, logits: Array, rounded: Rounding) -> Array:
    S, identity = _softmax(logits, rounded)[:, None], np.eye(logits.shape[-1])
    if of == "log-softmax":
        return rounded(identity - S)
    return rounded(np.swapaxes(S, 1, 2) * rounded(identity - S))


def _product(of: Of, logits: Array, upstream: Array, rounded: Rounding) -> Array:
    S, v = _softmax(logits, rounded), rounded(upstream)
    if of == "log-softmax":
        return rounded(v - rounded(S * rounded(v.sum(axis=-1, keepdims=True))))
    return rounded(S * rounded(v - rounded((S * v).sum(axis=-1, keepdims=True))))


def _value(of: Of, logits: Array) -> Array:
    if of == "softmax":
        return _softmax(logits)
    shifted_logits = logits - logits.max(axis=-1, keepdims=True)
    value: Array = shifted_logits - np.log(np.exp(shifted_logits).sum(axis=-1, keepdims=True))
    return value


def _matrix_file(
    of: Of, rows: int, classes: int, mutation: Mutation | None, dtype: str, T: float, spread: float
) -> Build:
    """Return a file of the Jacobians of rows, (rows, classes, classes), perhaps mutated."""

    def build(random: Random) -> Problem:
        rounded = rounding(dtype)
        logits = rounded(spread * random.standard_normal((rows, classes)))
        written = _jacobian(of, logits / T, rounded) / T
        if mutation is not None:
            written = mutation(written, random)
        written = rounded(written)
        said = f" --of {of}" + ("" if T == 1 else f" --temperature {T}")
        said += f" --dtype {dtype}" if dtype == "bfloat16" else ""
        arrays = {"--logits": stored(logits, dtype), "--jacobian": stored(written, dtype)}
        return Problem(
            lambda x: _value(of, x.reshape(logits.shape) / T).ravel(),
            lambda x: _of_all(_jacobian(of, x.reshape(logits.shape) / T, _unrounded) / T),
            lambda _: _of_all(written),
            logits.reshape(1, -1),
            dtype,
            1 / T,
            files=Files("--jacobian", arrays, said),
        )

    return build


def _of_all(J: Array) -> Array:
    """Return the Jacobian of all rows by all inputs: a row does not depend on the others."""
    rows, classes = J.shape[:2]
    whole = np.zeros((rows, classes, rows, classes))
    whole[np.arange(rows), :, np.arange(rows)] = J
    return whole.reshape(rows * classes, -1)


def _right_product(of: Of) -> Written:
    return lambda logits, upstream, rounded, _: _product(of, logits, upstream, rounded)


def _mutated(of: Of, mutation: Mutation) -> Written:
    return lambda logits, upstream, rounded, random: mutation(
        _product(of, logits, upstream, rounded), random
    )


def _formula(formula: Callable[[Array, Array], Array]) -> Written:
    """Return a product that is written in probabilities S and upstream v."""
    return lambda logits, upstream, rounded, _: formula(_softmax(logits, rounded), upstream)


def _product_file(of: Of, written_by: Written, dtype: str = "float64") -> Build:
    """Return a file of upstream times Jacobian, row by row."""

    def build(random: Random) -> Problem:
        rounded = rounding(dtype)
        logits = rounded(2 * random.standard_normal((8, 10)))
        upstream = rounded(random.standard_normal((8, 10)))
        written = rounded(written_by(logits, upstream, rounded, random))
        arrays = {
            "--logits": stored(logits, dtype),
            "--upstream": stored(upstream, dtype),
            "--grad": stored(written, dtype),
        }
        said = f" --of {of}" + (f" --dtype {dtype}" if dtype == "bfloat16" else "")
        return Problem(
            lambda x: float((upstream * _value(of, x.reshape(logits.shape))).sum()),
            lambda x: _product(of, x.reshape(logits.shape), upstream, _unrounded).ravel(),
            lambda _: written.ravel(),
            logits.reshape(1, -1),
            dtype,
            float(np.abs(upstream).sum(axis=-1).max()),
            files=Files("--grad", arrays, said),
        )

    return build


def _matrices(
    name: str,
    of: Of,
    mutation: Mutation | None = None,
    dtype: str = "float64",
    *,
    rows: int = 3,
    classes: int = 5,
    T: float = 1.0,
    spread: float = 1.0,
    may_be_vacuous: bool = False,
) -> Case:
    build = _matrix_file(of, rows, classes, mutation, dtype, T, spread)
    shown = f"{dtype} Jacobians of {of}: {name}"
    return Case(shown, "files", mutation is None, build, may_be_vacuous)


def _products(name: str, of: Of, written: Written | None = None, dtype: str = "float64") -> Case:
    build = _product_file(of, written or _right_product(of), dtype)
    return Case(f"{dtype} products of {of}: {name}", "files", written is None, build)


_WRONG = [
    *(
        _matrices(
            f"{classes} classes, the diagonal alone", of, diagonal_only, dtype, classes=classes
        )
        for of in OF
        for classes in (3, 30)
        for dtype in ("float64", "float32")
    ),
    _matrices("1000 classes, the diagonal alone", "softmax", diagonal_only, rows=1, classes=1000),
    _matrices(
        "1000 classes, the diagonal alone",
        "softmax",
        diagonal_only,
        "float32",
        rows=1,
        classes=1000,
    ),
    _matrices("transposed", "log-softmax", transposed),
    _matrices("the sign", "softmax", negated),
    _matrices("twice", "softmax", times(2)),
    _matrices("without 1/T", "softmax", times(0.7), T=0.7),
    _matrices("matrices shuffled", "softmax", rolled(0)),
    _matrices("random entry by 1e-4", "softmax", entry_times("random", 1.0001)),
    _matrices("smallest entry by 1e-4", "softmax", entry_times("smallest", 1.0001), spread=4.0),
    _matrices("smallest entry by 1e-2", "softmax", entry_times("smallest", 1.01), "float32"),
    _matrices("one NaN", "softmax", entry_is(np.nan)),
    _matrices("off by 1e-3 of the largest", "log-softmax", shifted(1e-3)),
    _matrices("the last of 50 twice", "softmax", last_rows_times(1, 2.0), rows=50),
    _matrices("half of it", "softmax", times(0.5), "bfloat16"),
    _matrices("twice", "log-softmax", times(2), "float16"),
    _products("without S.v", "softmax", _formula(lambda S, v: S * v)),
    _products("the mean of v", "softmax", _formula(lambda S, v: S * (v - v.mean()))),
    _products("the diagonal alone", "softmax", _formula(lambda S, v: S * (1 - S) * v)),
    _products("without the sum", "log-softmax", _formula(lambda S, v: v - S)),
    _products("v alone", "log-softmax", _formula(lambda _, v: v)),
    _products(
        "of the transposed", "log-softmax", _formula(lambda S, v: v - (S * v).sum(-1)[:, None])
    ),
    _products(
        "random entry by 1e-4", "softmax", _mutated("softmax", entry_times("random", 1.0001))
    ),
    _products("twice", "softmax", _mutated("softmax", times(2)), "float32"),
    _products("without S.v", "softmax", _formula(lambda S, v: S * v), "float16"),
    _products("without S.v", "softmax", _formula(lambda S, v: S * v), "bfloat16"),
]

_RIGHT = [
    *(
        _matrices("3 rows of 5", of, None, dtype)
        for of in OF
        for dtype in ("float64", "float32", "float16", "bfloat16")
    ),
    *(_matrices("30 classes", of, classes=30) for of in OF),
    _matrices("200 classes", "softmax", None, "float32", rows=1, classes=200),
    *(_matrices("T = 0.7", of, T=0.7) for of in OF),
    _matrices("logits of 1e-6", "softmax", spread=1e-6),
    _matrices("logits of 10", "softmax", spread=10.0, may_be_vacuous=True),
    _matrices("logits of 1e6", "softmax", spread=1e6, may_be_vacuous=True),
    _matrices("logits of 1e6", "log-softmax", spread=1e6),
    _matrices("one class", "softmax", classes=1, may_be_vacuous=True),
    _matrices("50 rows", "softmax", rows=50),
    *(
        _products("right", of, None, dtype)
        for of in OF
        for dtype in ("float64", "float32", "float16", "bfloat16")
    ),
]

PRODUCT_FILE_CASES = [*_WRONG, *_RIGHT]
