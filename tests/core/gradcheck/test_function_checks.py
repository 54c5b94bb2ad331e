"""Functions of the user: single precision, kinks, noise, many inputs, points of unlike sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.gradcheck import gradcheck
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method
from softmax_cli.core.gradcheck.report import Check, Report, Verdict

pytestmark = pytest.mark.fast(5)

Array = NDArray[Any]
AT = [1.1, -2.2, 0.7]


def _only(report: Report) -> Check:
    (check,) = report.checks
    return check


# Single precision


def _cubes_of_singles_alone(x: Array) -> Any:
    assert x.dtype == np.float32
    return (x**3).sum(dtype=np.float32)


def _cubes_in_singles(x: Array) -> float:
    return float((x.astype(np.float32) ** 3).sum())


def _squares(x: Array) -> Array:
    return 3 * x**2


def _squares_in_singles(x: Array) -> Array:
    return (3 * x**2).astype(np.float32)


def _first_off(gradient: Callable[[Array], Array], error: float) -> Callable[[Array], Array]:
    def wrong(x: Array) -> Array:
        result = gradient(x)
        result[0] *= 1 + error
        return result

    return wrong


@pytest.mark.parametrize("function", [_cubes_of_singles_alone, _cubes_in_singles])
@pytest.mark.parametrize("gradient", [_squares, _squares_in_singles])
def test_function_in_single_precision_is_judged_as_such(
    function: Callable[[Array], Any], gradient: Callable[[Array], Array]
) -> None:
    check = _only(gradcheck(function, gradient, AT))
    assert (check.verdict, check.dtype, check.rtol) == ("pass", "float32", 1e-3)
    assert check.step == pytest.approx(np.finfo(np.float32).eps ** (1 / 3))
    assert _only(gradcheck(function, _first_off(gradient, 1e-2), AT)).verdict == "fail"


def test_gradient_in_single_precision_of_a_function_in_double() -> None:
    check = _only(gradcheck(lambda x: (x**3).sum(), _squares_in_singles, AT))
    assert (check.verdict, check.dtype, check.step) == ("pass", "float32", STEPS["central"])
    wrong = _first_off(_squares_in_singles, 1e-2)
    assert _only(gradcheck(lambda x: (x**3).sum(), wrong, AT)).verdict == "fail"


def test_points_have_the_dtype_asked_for() -> None:
    seen: set[str] = set()

    def recorded(x: Array) -> Any:
        seen.add(x.dtype.name)
        return (x**3).sum()

    assert gradcheck(recorded, _squares, AT, dtype="float32").verdict == "pass"
    assert seen == {"float32"}


def test_function_that_accepts_neither_dtype_raises_its_first_error() -> None:
    def picky(x: Array) -> float:
        raise TypeError(f"no {x.dtype}")

    with pytest.raises(TypeError, match="no float64"):
        gradcheck(picky, _squares, AT)


# Kinks and noise

RNG = np.random.default_rng(3)
UNSETTLED: dict[str, tuple[Callable[[Array], Any], Callable[[Array], Any], list[float]]] = {
    "|x| at 0": (lambda x: np.abs(x).sum(), np.sign, [1.0, 0.0]),
    "|x| at 0, another slope": (lambda x: np.abs(x).sum(), lambda x: np.sign(x) + (x == 0), [0.0]),
    "relu near 0": (lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, [6.2e-7, 1.5]),
    "a stair": (lambda x: float(np.float32(1e6) + np.float32(np.sin(x).sum())), np.cos, [0.1]),
    "whole numbers": (lambda x: int((x**2).sum()), lambda x: 2 * x, [1.5, 2.5]),
    "relu at 0": (lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, [2.0, 0.0]),
    "maximum of equal ones": (np.max, lambda x: np.eye(x.size)[x.argmax()], [2.0, 2.0, 1.0]),
    "noise": (lambda x: x @ x + 1e-6 * RNG.standard_normal(), lambda x: 2 * x, [1.0, 2.0]),
    "a little noise": (lambda x: x @ x + 1e-9 * RNG.standard_normal(), lambda x: 2 * x, [1.0, 2.0]),
    "a fast small wave": (lambda x: x @ x + 1e-7 * np.sin(1e9 * x).sum(), lambda x: 2 * x, [1.0]),
    "outside the domain": (lambda x: np.log(x).sum(), lambda x: 1 / x, [1.0, -1.0]),
    "random gradient": (lambda x: x @ x, lambda x: RNG.standard_normal(x.size), [1.0, 2.0]),
}


@pytest.mark.parametrize("name", UNSETTLED)
def test_undecided_derivative_never_passes(name: str) -> None:
    function, gradient, at = UNSETTLED[name]
    verdict = gradcheck(function, gradient, at).verdict
    told = {"random gradient": "fail"}
    assert verdict in ("inconclusive", told.get(name))


SMALL = "a derivative too small to distinguish from the rounding of the function"


def _on_top_of(base: float) -> Callable[[Array], Any]:
    return lambda x: base + 1e-6 * (x**2).sum()


@pytest.mark.parametrize("base", [1e6, -1e6, 1e7, 1e8])
@pytest.mark.parametrize("method", ["central", "richardson"])
def test_nonzero_claim_below_the_noise_is_inconclusive(base: float, method: Method) -> None:
    function = _on_top_of(base)
    check = _only(gradcheck(function, lambda x: 2e-6 * x, [1.5, 2.5], method=method))
    assert (check.verdict, check.diagnosis, check.counts.vacuous) == ("inconclusive", SMALL, 0)
    assert f"it looks like {SMALL}" in check.headline
    wrong = _only(gradcheck(function, lambda x: x, [1.5, 2.5], method=method))
    assert wrong.verdict == "fail"


def test_complex_step_has_no_such_noise() -> None:
    at = [1.5, 2.5]
    right = gradcheck(_on_top_of(1e6), lambda x: 2e-6 * x, at, method="complex")
    wrong = gradcheck(_on_top_of(1e6), lambda x: 4e-6 * x, at, method="complex")
    assert (right.verdict, wrong.verdict) == ("pass", "fail")


def test_one_unknown_point_among_others_is_inconclusive() -> None:
    def function(x: Array) -> Any:
        return 1e6 * (x[0] > 2) + 1e-6 * (x**2).sum()

    report = gradcheck(function, lambda x: 2e-6 * x, [[1.5, 0.5], [2.5, 1.5]])
    check = _only(report)
    assert (check.verdict, check.diagnosis) == ("inconclusive", SMALL)


def _saturated(x: Array) -> Any:
    return x.max() + np.log(np.exp(x - x.max()).sum()) - x[0]


@pytest.mark.parametrize("first", [30.0, 60.0, 700.0])
def test_zero_to_within_rounding_is_vacuous(first: float) -> None:
    def gradient(x: Array) -> Array:
        P: Array = _softmax(x) - np.eye(x.size)[0]
        return P

    assert gradcheck(_saturated, gradient, [first, 0.0, 1.0]).verdict == "vacuous"
    constant = gradcheck(lambda x: 1e6 + 0 * x.sum(), np.zeros_like, [1.5, 2.5])
    assert constant.verdict == "vacuous"
    # What is so small beside the function is zero to it.
    assert gradcheck(_on_top_of(1e12), lambda x: 2e-6 * x, [1.5, 2.5]).verdict == "vacuous"


def test_kink_is_named() -> None:
    check = _only(gradcheck(lambda x: np.abs(x).sum(), np.sign, [1.0, 0.0]))
    assert check.diagnosis == "a kink or noise in the function"


@pytest.mark.parametrize("x", [-6e-6, -5e-6, 2.5e-7, 6e-7, 1e-6, 1e-5, -1e-5, 3e-5])
@pytest.mark.parametrize("power", [1, 2])
def test_kink_within_the_steps_never_fails_a_right_gradient(x: float, power: int) -> None:
    def gradient(x: Array) -> Array:
        return power * np.maximum(x, 0) ** (power - 1) * (x > 0)

    def function(x: Array) -> Any:
        return (np.maximum(x, 0) ** power).sum()

    for at in ([x], [x, 1.5], [x, 1.5, -0.7]):
        assert gradcheck(function, gradient, at).verdict != "fail"
        assert gradcheck(function, lambda x: 7 - gradient(x), at).verdict != "pass"


@pytest.mark.parametrize("at", [[0.37], [3.7e4, 7.7e4], [9.1e5]])
def test_steps_longer_than_a_wave(at: list[float]) -> None:
    assert gradcheck(lambda x: np.sin(x).sum(), np.cos, at).verdict != "fail"
    assert gradcheck(lambda x: np.sin(x).sum(), lambda x: -np.cos(x), at).verdict != "pass"


@pytest.mark.parametrize("size", [3.0, 40.0, 400.0, 3000.0])
def test_steps_longer_than_a_wave_in_single_precision(size: float) -> None:
    def waves(x: Array) -> float:
        return float(np.sin(x.astype(np.float32)).sum(dtype=np.float32))

    at = size * np.random.default_rng(int(size)).standard_normal(5)
    assert gradcheck(waves, np.cos, at).verdict != "fail"
    assert gradcheck(waves, lambda x: -np.cos(x), at).verdict != "pass"


def test_complex_steps_do_not_judge_a_function_that_is_not_analytic() -> None:
    def norm(x: Array) -> Any:
        return (x * x.conj()).sum()

    at = np.array([1.0, 2.0])
    report = gradcheck(
        lambda x: norm(x) if x.dtype.kind == "c" else norm(x).real,
        lambda x: 2 * x,
        at,
        method="complex",
    )
    assert report.verdict == "inconclusive"


def test_kink_elsewhere_does_no_harm() -> None:
    assert gradcheck(lambda x: np.abs(x).sum(), np.sign, [1.0, -0.01, 1e-3]).verdict == "pass"


# Sizes


@pytest.mark.parametrize("wrong", [2.0, 1.001, 0.0])
def test_point_with_small_derivatives_is_judged_by_itself(wrong: float) -> None:
    def gradient(x: Array) -> Array:
        return 4 * x**3 * (wrong if abs(x[0]) < 1 else 1)

    at = [[1e3], [1e-3]]
    assert gradcheck(lambda x: (x**4).sum(), lambda x: 4 * x**3, at).verdict == "pass"
    check = _only(gradcheck(lambda x: (x**4).sum(), gradient, at))
    assert (check.verdict, check.counts.over_tolerance, check.worst[0].index) == ("fail", 1, [1, 0])


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e-3, 1e3, 1e6, 1e12])
@pytest.mark.parametrize("error", [0.0, 1e-4])
def test_scale_of_the_function_does_not_matter(scale: float, error: float) -> None:
    gradient = _first_off(lambda x: scale * np.cos(x), error)
    verdict = gradcheck(lambda x: scale * np.sin(x).sum(), gradient, AT).verdict
    assert verdict == ("fail" if error else "pass")


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_function_much_larger_than_its_changes(offset: float) -> None:
    gradient = _first_off(np.cos, 1e-4)
    assert gradcheck(lambda x: offset + np.sin(x).sum(), np.cos, AT).verdict == "pass"
    assert gradcheck(lambda x: offset + np.sin(x).sum(), gradient, AT).verdict == "fail"


def test_drawn_points_lie_around_the_given_ones() -> None:
    seen: list[Array] = []

    def recorded(x: Array) -> Array:
        seen.append(x)
        return 2 * x

    check = _only(
        gradcheck(lambda x: x @ x, recorded, [[1.0, 2.0], [50.0, 60.0]], points=3, seed=1)
    )
    assert (check.verdict, check.counts.points, check.counts.entries) == ("pass", 5, 10)
    again = _only(gradcheck(lambda x: x @ x, lambda x: 2 * x, [1.0, 2.0], points=3, seed=1))
    assert (again.counts.points, again.counts.entries) == (4, 8)
    assert max(float(np.abs(x).max()) for x in seen) > 55


# Many inputs


def _logsumexp(x: Array) -> Any:
    return np.log(np.exp(x - x.max()).sum()) + x.max()


def _softmax(x: Array) -> Array:
    exponentials = np.exp(x - x.max())
    S: Array = exponentials / exponentials.sum()
    return S


MANY = np.random.default_rng(0).standard_normal(3000)


def test_many_inputs_are_compared_along_directions_and_in_a_sample() -> None:
    along, entries = gradcheck(_logsumexp, _softmax, MANY).checks
    assert (along.name, entries.name) == ("_logsumexp (directions)", "_logsumexp (entries)")
    assert (along.verdict, entries.verdict) == ("pass", "pass")
    assert (along.counts.entries, entries.counts.entries) == (12, 64)
    chosen = [entry.index[0] for entry in entries.worst]
    assert all(
        entry.analytic == _softmax(MANY)[k] for entry, k in zip(entries.worst, chosen, strict=True)
    )


@pytest.mark.parametrize("place", [0, 1234, 2999])
def test_directions_touch_every_input(place: int) -> None:
    def gradient(x: Array) -> Array:
        wrong = _softmax(x)
        wrong[place] *= 1.01
        return wrong

    assert gradcheck(_logsumexp, gradient, MANY).verdict == "fail"


def test_directions_never_decide_alone() -> None:
    # A gradient that is only right along the directions that are asked for, which are seeded.
    def gradient(x: Array) -> Array:
        return _softmax(x) * np.where(np.arange(x.size) % 2, 1.5, 0.5)

    report = gradcheck(_logsumexp, gradient, MANY)
    assert [check.verdict for check in report.checks] == ["fail", "fail"]
    # The direction of all ones, along which these sums of softmax's derivative are 0.
    flat = gradcheck(lambda x: _softmax(x).sum(), lambda x: 0 * x, MANY)
    assert flat.verdict == "vacuous"


def test_many_inputs_of_a_vector_function() -> None:
    A = np.random.default_rng(1).standard_normal((3, 2000))
    at = np.linspace(-1, 1, 2000)
    report = gradcheck(lambda x: A @ x**2, lambda x: 2 * A * x, at)
    assert [check.verdict for check in report.checks] == ["pass", "pass"]
    wrong = gradcheck(lambda x: A @ x**2, lambda x: 2 * A * np.roll(x, 1), at)
    assert [check.verdict for check in wrong.checks] == ["fail", "fail"]


# Diagnosis

MATRIX = np.array([[1.0, 2.0, 0.5], [3.0, 4.0, -1.0], [0.3, -2.0, 7.0]])
DIAGNOSES: dict[str, tuple[Callable[[Array], Array], str]] = {
    "sign": (lambda x: -np.cos(x), "a flipped sign"),
    "ln 2": (lambda x: np.log(2) * np.cos(x), "a factor of ln 2"),
    "bits": (lambda x: np.cos(x) / np.log(2), "a factor of 1/ln 2"),
    "inputs": (lambda x: 3 * np.cos(x), "a factor of N, the number of inputs"),
    "over inputs": (lambda x: np.cos(x) / 3, "a division by N, the number of inputs"),
    "shuffled": (lambda x: np.cos(x)[[1, 2, 0]], "shuffled entries"),
    "label": (lambda x: np.cos(x) + np.eye(3)[1], "the missing -1 at the label"),
    "zeros": (lambda x: 0 * x, "nothing but zeros"),
    "other": (lambda x: 1.7 * np.cos(x), "a constant factor: the gradient is 1.7 times"),
}


@pytest.mark.parametrize("name", DIAGNOSES)
def test_diagnosis(name: str) -> None:
    gradient, diagnosis = DIAGNOSES[name]
    check = _only(gradcheck(lambda x: np.sin(x).sum(), gradient, AT))
    assert check.verdict == "fail"
    assert str(check.diagnosis).startswith(diagnosis)
    both = _only(gradcheck(lambda x: np.sin(x).sum(), _first_off(gradient, 0.3), AT))
    assert both.verdict == "fail"
    if name != "zeros":
        assert both.diagnosis is None


@pytest.mark.parametrize(
    ("jacobian", "diagnosis"),
    [(MATRIX.T, "a transposed matrix"), (np.diag(np.diag(MATRIX)), "only its diagonal")],
)
def test_diagnosis_of_a_jacobian(jacobian: Array, diagnosis: str) -> None:
    check = _only(gradcheck(lambda x: MATRIX @ x, lambda _: jacobian, AT))
    assert check.verdict == "fail"
    assert diagnosis in str(check.diagnosis)


@pytest.mark.parametrize(
    ("gradient", "verdict"), [(np.cos, "pass"), (lambda x: np.cos(x) + 1e-3, "fail")]
)
def test_report_has_the_file_and_line_of_the_gradient(
    gradient: Callable[[Array], Array], verdict: Verdict
) -> None:
    check = _only(gradcheck(lambda x: np.sin(x).sum(), gradient, AT))
    assert check.verdict == verdict
    if verdict == "fail":
        assert check.file == __file__
        assert check.line is not None
    else:
        assert (check.file, check.line) == (None, None)
