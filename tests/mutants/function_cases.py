"""Gradients and Jacobians of Python functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants import scalar_functions as f
from tests.mutants import uneven_functions as uneven
from tests.mutants import vector_functions as g
from tests.mutants.cases import Build, Case, Draw, Problem, Random
from tests.mutants.mutations import (
    Mutation,
    diagonal_only,
    entry_is,
    entry_times,
    mutated,
    negated,
    neighbours_swapped,
    rolled,
    row_times,
    shifted,
    times,
    transposed,
    without_negative,
)


def _build(draw: Draw, wrong: Mutation | str | None, dtype: str) -> Build:
    def build(random: Random) -> Problem:
        drawn = draw(random)
        judged = drawn.right
        if isinstance(wrong, str):
            judged = drawn.wrong[wrong]
        elif wrong is not None:
            judged = mutated(drawn.right, wrong, random)
        return Problem(
            drawn.function,
            drawn.right,
            lambda x: np.asarray(judged(x)).astype(dtype),
            drawn.points,
            dtype,
            rounding=drawn.rounding,
        )

    return build


def _wrong(name: str, draw: Draw, wrong: Mutation | str, dtype: str = "float64") -> Case:
    shown = f": {wrong}" if isinstance(wrong, str) else ""
    return Case(f"{name}{shown}", "functions", False, _build(draw, wrong, dtype))


def _right(name: str, draw: Draw, dtype: str = "float64", *, may_be_vacuous: bool = False) -> Case:
    return Case(name, "functions", True, _build(draw, None, dtype), may_be_vacuous)


_WRONG_SCALAR = [
    _wrong("logsumexp", f.logsumexp(), "not divided by the sum"),
    _wrong("logsumexp, swapped", f.logsumexp(), neighbours_swapped),
    _wrong("logsumexp in float32, the sign", uneven.in_float32(f.logsumexp()), negated, "float32"),
    _wrong(
        "logsumexp in float32, largest by 1e-2",
        uneven.in_float32(f.logsumexp()),
        entry_times("largest", 1.01),
        "float32",
    ),
    _wrong(
        "logsumexp in float32 as a Python float, twice",
        uneven.in_float32(f.logsumexp(), float),
        times(2),
        "float32",
    ),
    _wrong("logsumexp + 1e3, half", uneven.scaled(f.logsumexp(), offset=1e3), times(0.5)),
    _wrong("300 inputs, shuffled", f.logsumexp(300), rolled(0)),
    _wrong("logistic", f.logistic, "of the other label"),
    _wrong("logistic", f.logistic, "P - 1 for a label of -1"),
    _wrong("logistic, random by 1e-4", f.logistic, entry_times("random", 1.0001)),
    _wrong("squared error", f.squared_error, "without b"),
    _wrong("squared error", f.squared_error, "mean"),
    _wrong("x^T A x", f.quadratic_form, "2 A x"),
    _wrong("x^T A x", f.quadratic_form, "A x"),
    _wrong("x^T A x", f.quadratic_form, "(A - A^T) x"),
    _wrong("1e-6 x^T A x, twice", uneven.scaled(f.quadratic_form, 1e-6), times(2)),
    _wrong("1e6 x^T A x, by 1e-3", uneven.scaled(f.quadratic_form, 1e6), times(1.001)),
    _wrong("log det", f.log_determinant, "not transposed"),
    _wrong("|x|", f.l2_norm, "of the square"),
    _wrong("|x|", f.l2_norm, "divided by the square"),
    _wrong("|x| of 1e6, half", uneven.at(f.l2_norm, 1e6), times(0.5)),
    _wrong("Huber", f.huber, "not clipped"),
    _wrong("Huber", f.huber, "the sign alone"),
    _wrong("polynomial", f.polynomial, "2 c x^2"),
    _wrong("polynomial", f.polynomial, "without -1"),
    _wrong("x^4", uneven.quartic, "twice at the small point"),
    _wrong("x^4", uneven.quartic, "by 1e-2 at the small point"),
    _wrong("x^4", uneven.quartic, "0 at the small point"),
    _wrong("x^4", uneven.quartic, "by 1e-4 at the large point"),
    _wrong("attention", f.attention, "without S.v"),
    _wrong("attention", f.attention, "without 1 / sqrt d"),
    _wrong("attention", f.attention, "S (1 - S) v"),
    _wrong("softmax product", f.softmax_product, "without S.v"),
    _wrong("softmax product", f.softmax_product, "the mean of v"),
    _wrong("log-softmax product", f.log_softmax_product, "without the sum"),
    _wrong("log-softmax product", f.log_softmax_product, "v alone"),
    _wrong("layer norm", f.layer_norm, "a constant deviation"),
    _wrong("layer norm", f.layer_norm, "a constant mean"),
    _wrong("gelu", f.gelu, "Phi alone"),
    _wrong("gelu", f.gelu, "0 below 0"),
    _wrong("gelu", f.gelu, "by 1e-3 below 0"),
    _wrong("tanh", f.tanh_sum, "1 - tanh"),
    _wrong("tanh", f.tanh_sum, "1 + tanh^2"),
    _wrong("sigmoid", f.sigmoid_sum, "S alone"),
    _wrong("sigmoid", f.sigmoid_sum, "S (1 - x)"),
    _wrong("entropy", f.entropy, "by the probabilities"),
    _wrong("cosine", f.cosine, "a constant norm"),
    _wrong("cosine, without signs", f.cosine, without_negative),
    _wrong(
        "c x^2 of 1e-3 to 1, small by 1e-3", uneven.squares(-3, 0), entry_times("smallest", 1.001)
    ),
    _wrong("some inputs", uneven.some_inputs_alone, "of all inputs"),
    _wrong("some inputs", uneven.some_inputs_alone, "of the other inputs"),
    _wrong("constant, not 0", uneven.constant, lambda gradient, _: gradient + 1e-3),
]

_WRONG_JACOBIANS = [
    *(
        _wrong(f"softmax of {classes}, the diagonal alone", g.softmax_of(classes), diagonal_only)
        for classes in (3, 30)
    ),
    _wrong("softmax of 30 float32, the diagonal alone", g.softmax_of(30), diagonal_only, "float32"),
    _wrong("softmax", g.softmax_of(4), "diag(S)"),
    _wrong("softmax", g.softmax_of(4), "-S S^T"),
    _wrong("softmax, T = 0.5", g.softmax_of(4, T=0.5), "without 1/T"),
    _wrong("softmax, T = 0.5", g.softmax_of(4, T=0.5), "at T = 1"),
    _wrong("softmax", g.softmax_of(4), "of log-softmax"),
    _wrong("softmax, random by 1e-4", g.softmax_of(6), entry_times("random", 1.0001)),
    _wrong("softmax, largest by 1e-4", g.softmax_of(6), entry_times("largest", 1.0001)),
    _wrong(
        "softmax float32, random by 1e-2", g.softmax_of(6), entry_times("random", 1.01), "float32"
    ),
    _wrong("softmax, one NaN", g.softmax_of(6), entry_is(np.nan)),
    _wrong("softmax, one row 0", g.softmax_of(6), row_times(2, 0.0)),
    _wrong("log-softmax, transposed", g.log_softmax_of(5), transposed),
    _wrong("log-softmax, the diagonal alone", g.log_softmax_of(30), diagonal_only),
    _wrong("log-softmax", g.log_softmax_of(5), "without the sum"),
    _wrong("log-softmax", g.log_softmax_of(5), "of softmax"),
    _wrong("log-softmax", g.log_softmax_of(5), "1/N for S"),
    _wrong("masked softmax", g.masked_softmax, "mask left out"),
    _wrong("A x, transposed", g.square_linear, transposed),
    _wrong("A x, off by 1e-3 of the largest", g.linear, shifted(1e-3)),
    _wrong("tanh(A x)", g.tanh, "along the inputs"),
    _wrong("tanh(A x)", g.tanh, "1 - tanh"),
    _wrong("each sigmoid", g.elementwise_sigmoid, "a full matrix"),
    _wrong("each sigmoid", g.elementwise_sigmoid, "diag(S)"),
    _wrong("x / |x|", g.normalized, "a constant norm"),
    _wrong("layer norm Jacobian", g.layer_norm, "a constant deviation"),
    _wrong("layer norm Jacobian", g.layer_norm, "a constant mean"),
    _wrong("attention Jacobian", g.attention, "diagonal inside"),
    _wrong("polar, transposed", g.polar, transposed),
    _wrong("polar", g.polar, "without r"),
]

_FUNCTIONS: dict[str, Draw] = {
    "logsumexp": f.logsumexp(),
    "logistic": f.logistic,
    "squared error": f.squared_error,
    "x^T A x": f.quadratic_form,
    "log det": f.log_determinant,
    "|x|": f.l2_norm,
    "Huber": f.huber,
    "polynomial": f.polynomial,
    "x^4": uneven.quartic,
    "attention": f.attention,
    "softmax product": f.softmax_product,
    "log-softmax product": f.log_softmax_product,
    "layer norm": f.layer_norm,
    "gelu": f.gelu,
    "tanh": f.tanh_sum,
    "sigmoid": f.sigmoid_sum,
    "entropy": f.entropy,
    "cosine": f.cosine,
    "some inputs": uneven.some_inputs_alone,
    "1000 inputs": f.logsumexp(1000),
    "softmax of 3": g.softmax_of(3),
    "softmax of 30": g.softmax_of(30),
    "softmax of 200": g.softmax_of(200),
    "softmax at 5 points": g.softmax_of(4, points=5),
    "softmax, T = 0.5": g.softmax_of(4, T=0.5),
    "softmax of logits of 1e-6": g.softmax_of(4, 1e-6),
    "log-softmax": g.log_softmax_of(5),
    "log-softmax of logits of 1e3": g.log_softmax_of(5, 1e3),
    "masked softmax": g.masked_softmax,
    "A x": g.linear,
    "tanh(A x)": g.tanh,
    "each sigmoid": g.elementwise_sigmoid,
    "x / |x|": g.normalized,
    "layer norm Jacobian": g.layer_norm,
    "attention Jacobian": g.attention,
    "polar": g.polar,
    "1e-6 x^T A x": uneven.scaled(f.quadratic_form, 1e-6),
    "1e6 x^T A x": uneven.scaled(f.quadratic_form, 1e6),
    "1e-6 gelu": uneven.scaled(f.gelu, 1e-6),
    "1e6 logistic": uneven.scaled(f.logistic, 1e6),
    "logsumexp + 1e3": uneven.scaled(f.logsumexp(), offset=1e3),
    "tanh + 1e3": uneven.scaled(f.tanh_sum, offset=1e3),
    "1e-6 tanh + 1e-3": uneven.scaled(f.tanh_sum, 1e-6, 1e-3),
    "|x| of 1e-6": uneven.at(f.l2_norm, 1e-6),
    "|x| of 1e6": uneven.at(f.l2_norm, 1e6),
    "polynomial of 1e3": uneven.at(f.polynomial, 1e3),
    "logistic at 20 points": uneven.at_more_points(f.logistic, 20),
    "c x^2 of 1e-6 to 1e6": uneven.squares(-6, 6, 13),
    "c x^2 of 1e-12 to 1": uneven.squares(-12, 0, 13),
}
_VACUOUS: dict[str, Draw] = {
    "softmax of one class": g.softmax_of(1),
    "softmax of logits of 1e6": g.softmax_of(4, 1e6),
    "logistic of 1e2": uneven.at(f.logistic, 1e2),
    "constant": uneven.constant,
}
_IN_FLOAT32 = {
    "logsumexp": f.logsumexp(),
    "logistic": f.logistic,
    "|x|": f.l2_norm,
    "tanh": f.tanh_sum,
}
_ROUNDED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("float32", np.float32),
    ("float32 as a Python float", float),
)

_RIGHT = [
    *(_right(name, draw) for name, draw in _FUNCTIONS.items()),
    *(_right(name, draw, may_be_vacuous=True) for name, draw in _VACUOUS.items()),
    *(
        _right(f"{name} in {how}", uneven.in_float32(draw, returned), "float32")
        for name, draw in _IN_FLOAT32.items()
        for how, returned in _ROUNDED
    ),
    *(
        _right(f"{name}, gradient {dtype}", _FUNCTIONS[name], dtype)
        for name, dtype in (
            ("logistic", "float32"),
            ("x^T A x", "float32"),
            ("softmax of 30", "float32"),
            ("log-softmax", "float16"),
            ("gelu", "float16"),
        )
    ),
]

FUNCTION_CASES = [*_WRONG_SCALAR, *_WRONG_JACOBIANS, *_RIGHT]
