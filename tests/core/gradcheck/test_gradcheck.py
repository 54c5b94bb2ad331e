"""gradcheck: right derivatives pass, wrong ones fail, and what proves nothing says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

import softmax_cli
from softmax_cli.core.gradcheck import gradcheck as module
from softmax_cli.core.gradcheck.builtins import BUILTINS, Builtin, Of
from softmax_cli.core.gradcheck.function_checks import UserFunction
from softmax_cli.core.gradcheck.gradcheck import gradcheck
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method
from softmax_cli.core.gradcheck.report import Check, Counts, Report, Verdict
from softmax_cli.errors import DomainError, ShapeError

pytestmark = pytest.mark.fast(3)

Array = NDArray[Any]
Analytic = Callable[[Array, float, Array], Array]

NAN, INF = np.nan, np.inf
METHODS: tuple[Method, ...] = get_args(Method)
BY_NAME = {builtin.name: builtin for builtin in BUILTINS}
T = 0.7
SEEDS = range(3)
# A central difference in float64 is off by about 1e-10 of the largest value.
TOLERANCES: dict[Method, dict[str, float]] = {"central": {"rtol": 1e-5, "atol": 1e-8}}

every_method = pytest.mark.parametrize("method", METHODS)


def _swap(monkeypatch: pytest.MonkeyPatch, builtin: Builtin, analytic: Analytic) -> None:
    """Let gradcheck() check this derivative alone."""
    monkeypatch.setattr(module, "BUILTINS", (replace(builtin, analytic=analytic),))


def _only(report: Report) -> Check:
    (check,) = report.checks
    return check


# The built-in derivatives


@every_method
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.slow
def test_builtins_pass_at_any_seed_and_temperature(method: Method, dtype: str) -> None:
    points = 2 if method == "richardson" else 4
    settings = TOLERANCES.get(method, {}) if dtype == "float64" else {}
    for seed, temperature in enumerate(np.geomspace(0.1, 10, 20)):
        report = gradcheck(
            method=method,
            dtype=dtype,
            temperature=temperature,
            seed=seed,
            points=points,
            **settings,  # type: ignore[arg-type]
        )
        assert {check.name: check.verdict for check in report.checks} == dict.fromkeys(
            BY_NAME, "pass"
        )


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_builtins_pass_by_default(dtype: str, temperature: float) -> None:
    assert gradcheck(dtype=dtype, temperature=temperature).verdict == "pass"


@pytest.mark.slow
def test_default_central_differences_never_fail() -> None:
    verdicts = {
        gradcheck(method="central", temperature=temperature, seed=seed, points=4).verdict
        for temperature in (0.1, 1.0, 10.0)
        for seed in range(5)
    }
    assert "pass" in verdicts
    assert verdicts <= {"pass", "inconclusive"}


@every_method
@pytest.mark.parametrize(
    "at", [[1.0, 2.0, 3.0], [0.0, 0.0], [[0.5, -1.0], [3.0, 2.0]], [5, 4, 3, 3]]
)
def test_builtins_pass_at_given_points(at: Any, method: Method) -> None:
    report = gradcheck(at=at, method=method)
    assert [check.verdict for check in report.checks] == ["pass"] * len(BUILTINS)


@every_method
@pytest.mark.parametrize(
    "at", [[1.0, -INF, 2.5], [-INF, 0.0, 0.5, -INF], [[1.0, 2.0, -INF], [-INF, 1.0, 2.0]]]
)
def test_masked_classes_pass(at: Any, method: Method) -> None:
    assert gradcheck(at=at, method=method).verdict == "pass"


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("softmax jacobian", "vacuous"),
        ("softmax jvp", "vacuous"),
        ("softmax vjp", "vacuous"),
        ("log-softmax jacobian", "pass"),
        ("log-softmax jvp", "pass"),
        ("log-softmax vjp", "pass"),
        ("xent gradient (targets)", "pass"),
    ],
)
@pytest.mark.parametrize("at", [[100.0, 0.0], [0.0, -3.0, 900.0]])
def test_saturated_row(at: list[float], name: str, verdict: Verdict) -> None:
    checks = gradcheck(at=at, of=BY_NAME[name].of).checks
    assert {check.name: check.verdict for check in checks}[name] == verdict


@pytest.mark.parametrize(
    "wrong", [lambda J: 0 * J, lambda J: -J, lambda J: 2 * J], ids=["zero", "sign", "2"]
)
def test_wrong_derivative_does_not_pass_at_a_saturated_row(
    wrong: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = BY_NAME["softmax jacobian"]
    _swap(monkeypatch, right, lambda a, T, v: wrong(right.analytic(a, T, v)))
    assert gradcheck(at=[100.0, 0.0]).verdict == "vacuous"
    assert gradcheck(at=[1.0, 0.0]).verdict == "fail"


def test_single_class_proves_nothing() -> None:
    report = gradcheck(at=[5.0])
    assert {check.verdict for check in report.checks} == {"vacuous"}
    assert {check.counts.over_tolerance for check in report.checks} == {0}


@pytest.mark.parametrize("row", [[NAN, 1.0], [INF, 1.0], [-INF, -INF]])
def test_point_without_a_softmax(row: list[float]) -> None:
    with pytest.raises(DomainError, match="a point has no softmax"):
        gradcheck(at=[[1.0, 2.0], row])


# Wrong built-in derivatives


def _softmax(a: Array, T: float = 1.0) -> Array:
    exponentials = np.exp((a - a.max()) / T)
    S: Array = exponentials / exponentials.sum()
    return S


def _one_entry_off(right: Array) -> Array:
    wrong = right.copy()
    wrong.flat[np.abs(right).argmax()] *= 1 + 1e-4
    return wrong


# Ways in which each derivative can be wrong, and how a report calls them.
ANYWHERE: dict[str, tuple[Callable[[Analytic], Analytic], str | None]] = {
    "sign": (lambda right: lambda a, T, v: -right(a, T, v), "a flipped sign"),
    "times 2": (lambda right: lambda a, T, v: 2 * right(a, T, v), "a factor of 2"),
    "over 2": (lambda right: lambda a, T, v: right(a, T, v) / 2, "a factor of 1/2"),
    "times 1.001": (
        lambda right: lambda a, T, v: 1.001 * right(a, T, v),
        "a constant factor: the gradient is 1.001 times the reference",
    ),
    "no 1/T": (lambda right: lambda a, T, v: T * right(a, T, v), "a missing 1/T"),
    "1/T twice": (lambda right: lambda a, T, v: right(a, T, v) / T, "1/T taken twice"),
    "no temperature": (lambda right: lambda a, _, v: right(a, 1.0, v), None),
    "times T": (lambda right: lambda a, T, v: right(a, 1 / T, v), None),
    "over the classes": (lambda right: lambda a, T, v: right(a, T, v) / a.size, None),
    "one entry": (lambda right: lambda a, T, v: _one_entry_off(right(a, T, v)), None),
    "last entry 0": (
        lambda right: lambda a, T, v: right(a, T, v) * (np.arange(a.size) < a.size - 1),
        None,
    ),
    "one NaN": (
        lambda right: lambda a, T, v: right(a, T, v) + np.where(np.arange(a.size), 0, NAN),
        None,
    ),
    "zero": (lambda right: lambda a, T, v: 0 * right(a, T, v), "nothing but zeros"),
    "another point": (lambda right: lambda a, T, v: right(a[::-1], T, v), None),
    "logits too large": (lambda right: lambda a, T, v: right(a + 1e-3 * a, T, v), None),
}


@pytest.mark.parametrize("wrong", ANYWHERE)
@pytest.mark.parametrize("name", BY_NAME)
def test_wrong_derivative_fails(name: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate, diagnosis = ANYWHERE[wrong]
    _swap(monkeypatch, BY_NAME[name], mutate(BY_NAME[name].analytic))
    for seed in SEEDS:
        check = _only(gradcheck(temperature=T, seed=seed, points=5))
        assert (check.name, check.verdict) == (name, "fail")
        assert check.counts.over_tolerance > 0
        assert check.diagnosis == diagnosis


class Mutant(NamedTuple):
    """A wrong formula of (S, T, extra) for one derivative, and how a report calls it."""

    builtin: str
    formula: Analytic
    diagnosis: str | None = None

    def analytic(self, a: Array, T: float, extra: Array) -> Array:
        """Apply the formula to the probabilities."""
        return self.formula(_softmax(a, T), T, extra)


DIAGONAL = "a Jacobian with only its diagonal"
SOFTMAX, LOG_SOFTMAX = "softmax jacobian", "log-softmax jacobian"
LABELS, TARGETS = "xent gradient (labels)", "xent gradient (targets)"


def _matrix(S: Array) -> Array:
    J: Array = np.diag(S) - np.outer(S, S)
    return J


RIGHT: dict[str, Analytic] = {
    SOFTMAX: lambda S, T, _: _matrix(S) / T,
    "softmax jvp": lambda S, T, v: S * (v - S @ v) / T,
    "softmax vjp": lambda S, T, v: S * (v - S @ v) / T,
    LOG_SOFTMAX: lambda S, T, _: (np.eye(S.size) - S) / T,
    "log-softmax jvp": lambda S, T, v: (v - S @ v) / T,
    "log-softmax vjp": lambda S, T, v: (v - S * v.sum()) / T,
    LABELS: lambda S, T, Y: (S - Y) / T,
    TARGETS: lambda S, T, Y: (S - Y) / T,
}

MUTANTS = [
    Mutant(SOFTMAX, lambda S, T, _: np.tile(S * (1 - S), (S.size, 1)) / T),
    Mutant(SOFTMAX, lambda S, T, _: np.diag(S * (1 - S)) / T, DIAGONAL),
    Mutant(SOFTMAX, lambda S, T, _: np.abs(_matrix(S)) / T),
    Mutant(SOFTMAX, lambda S, T, _: -np.outer(S, S) / T),
    Mutant(SOFTMAX, lambda S, T, _: np.diag(S) / T),
    Mutant(SOFTMAX, RIGHT[LOG_SOFTMAX]),
    # A product without the mean, with a mean without weights, with the diagonal alone.
    Mutant("softmax jvp", lambda S, T, v: S * v / T),
    Mutant("softmax jvp", lambda S, T, v: S * (v - v.mean()) / T),
    Mutant("softmax jvp", lambda S, T, v: S * (1 - S) * v / T),
    Mutant("softmax vjp", lambda S, T, v: S * v / T),
    Mutant("softmax vjp", lambda S, T, v: S * (1 - S) * v / T),
    Mutant("softmax vjp", RIGHT["log-softmax jvp"]),
    Mutant(LOG_SOFTMAX, lambda S, T, _: (np.eye(S.size) - S[:, None]) / T, "a transposed matrix"),
    Mutant(LOG_SOFTMAX, lambda S, T, _: np.diag(1 - S) / T, DIAGONAL),
    Mutant(LOG_SOFTMAX, lambda S, T, _: np.eye(S.size) / T),
    Mutant(LOG_SOFTMAX, RIGHT[SOFTMAX]),
    Mutant("log-softmax jvp", lambda _, T, v: v / T),
    Mutant("log-softmax jvp", RIGHT["log-softmax vjp"]),
    Mutant("log-softmax vjp", lambda _, T, v: v / T),
    Mutant("log-softmax vjp", RIGHT["log-softmax jvp"]),
    Mutant("log-softmax vjp", RIGHT["softmax vjp"]),
    # No -1 at the label, at the next class, everywhere; nothing but the label's entry.
    Mutant(LABELS, lambda S, T, _: S / T),
    Mutant(LABELS, lambda S, T, Y: (S - np.roll(Y, 1)) / T),
    Mutant(LABELS, lambda S, T, _: (S - 1) / T),
    Mutant(LABELS, lambda S, T, Y: (S - 1) * Y / T),
    # With respect to the probabilities, and to their logarithms.
    Mutant(LABELS, lambda S, _, Y: -Y / S),
    Mutant(LABELS, lambda _, T, Y: -Y / T),
    Mutant(TARGETS, lambda S, T, _: S / T),
    Mutant(TARGETS, lambda S, T, Y: (S - np.eye(S.size)[Y.argmax()]) / T),
    Mutant(TARGETS, lambda S, _, Y: -Y / S),
    Mutant(TARGETS, lambda S, T, Y: (S * Y.max() - Y) / T),
]
every_mutant = pytest.mark.parametrize(
    "mutant", MUTANTS, ids=[f"{number}, {mutant.builtin}" for number, mutant in enumerate(MUTANTS)]
)


@every_mutant
def test_wrong_formula_fails(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    _swap(monkeypatch, BY_NAME[mutant.builtin], mutant.analytic)
    for seed in SEEDS:
        check = _only(gradcheck(temperature=T, seed=seed, points=5))
        assert (check.verdict, check.diagnosis) == ("fail", mutant.diagnosis)


@every_mutant
def test_wrong_formula_fails_whatever_the_settings(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    _swap(monkeypatch, BY_NAME[mutant.builtin], mutant.analytic)
    for method in METHODS:
        assert gradcheck(method=method, temperature=T, points=3).verdict == "fail"
        assert gradcheck(method=method, at=[0.3, -1.0, 0.0]).verdict == "fail"
        assert gradcheck(method=method, dtype="float32", points=2).verdict == "fail"


@pytest.mark.parametrize("name", BY_NAME)
def test_same_formula_written_otherwise_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _swap(monkeypatch, BY_NAME[name], Mutant(name, RIGHT[name]).analytic)
    verdicts = [gradcheck(temperature=T, seed=seed, points=5).verdict for seed in SEEDS]
    assert verdicts == ["pass"] * len(SEEDS)


def test_one_wrong_derivative_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = Mutant(LABELS, lambda S, T, _: S / T)
    monkeypatch.setattr(
        module,
        "BUILTINS",
        [
            replace(builtin, analytic=mutant.analytic)
            if builtin.name == mutant.builtin
            else builtin
            for builtin in BUILTINS
        ],
    )
    report = gradcheck()
    failed = [check.name for check in report.checks if check.verdict != "pass"]
    assert (report.verdict, failed) == ("fail", [mutant.builtin])


# Settings


@pytest.mark.parametrize("of", get_args(Of))
def test_of_chooses_the_derivatives(of: Of) -> None:
    expected = [builtin.name for builtin in BUILTINS if builtin.of == of]
    assert [check.name for check in gradcheck(of=of).checks] == expected


def test_seed_and_points() -> None:
    reports = [gradcheck(seed=seed, points=3) for seed in (0, 0, 1)]
    assert reports[0] == reports[1]
    assert [report.seed for report in reports] == [0, 0, 1]
    differing = [
        one.worst[0].reference != other.worst[0].reference
        for one, other in zip(reports[0].checks, reports[2].checks, strict=True)
    ]
    assert all(differing)
    # Points of 2, 3 and 4 classes.
    entries = {check.name: check.counts.entries for check in reports[0].checks}
    assert entries == {name: 29 if "jacobian" in name else 9 for name in BY_NAME}


@every_method
@pytest.mark.parametrize("step", [None, 1e-4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_report_says_how_it_was_made(method: Method, step: float | None, dtype: str) -> None:
    report = gradcheck(
        at=[1.0, 2.0], of="softmax", method=method, step=step, dtype=dtype, rtol=0.01, atol=0.02
    )
    for check in report.checks:
        said = (check.method, check.step, check.dtype, check.rtol, check.counts.atol)
        assert said == (method, step or STEPS[method], dtype, 0.01, 0.02)


def test_default_method() -> None:
    assert gradcheck().checks[0].method == "complex"
    assert _only(gradcheck(np.sum, np.ones_like, [1.0])).method == "central"


@pytest.mark.parametrize("worst", [0, 1, 5])
def test_worst_entries_are_kept(worst: int) -> None:
    assert {len(check.worst) for check in gradcheck(worst=worst).checks} == {worst}


def test_worst_entry_is_numbered_by_point(monkeypatch: pytest.MonkeyPatch) -> None:
    right = BY_NAME["softmax jacobian"]

    def wrong(a: Array, T: float, v: Array) -> Array:
        J = right.analytic(a, T, v)
        J[1, 2] += 0.1 * (a[0] == 7)
        return J

    _swap(monkeypatch, right, wrong)
    several = _only(gradcheck(at=[[1.0, 2.0, 3.0], [7.0, 6.0, 5.0]], worst=1))
    assert (several.counts.over_tolerance, several.worst[0].index) == (1, [1, 1, 2])
    single = _only(gradcheck(at=[7.0, 6.0, 5.0], worst=1))
    assert (single.counts.over_tolerance, single.worst[0].index) == (1, [1, 2])


def test_report_as_a_dictionary() -> None:
    report = gradcheck(of="xent", seed=3)
    document = report.as_dict()
    assert list(document) == ["command", "verdict", "subject", "seed", "checks"]
    assert (document["command"], document["verdict"], document["seed"]) == ("gradcheck", "pass", 3)
    keys = {each.name for part in (Check, Counts) for each in fields(part)}
    keys -= {"counts", "proven_wrong", "undecided"}
    assert [set(check) for check in document["checks"]] == [keys] * 2
    assert set(document["checks"][0]["worst"][0]) == {
        "index",
        "analytic",
        "reference",
        "abs_error",
        "rel_error",
        "allowed",
    }


def test_library_exports_it() -> None:
    assert softmax_cli.gradcheck is gradcheck


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": NAN}, "temperature"),
        ({"temperature": INF}, "temperature"),
        ({"rtol": -1e-6}, "rtol is -1e-06"),
        ({"rtol": NAN}, "rtol is nan"),
        ({"rtol": INF}, "rtol is inf"),
        ({"atol": -1.0}, "atol is -1"),
        ({"atol": NAN}, "atol is nan"),
        ({"atol": INF}, "atol is inf"),
        ({"step": 0.0}, "step must be positive and finite, got 0"),
        ({"step": NAN}, "step must be positive and finite, got nan"),
        ({"at": ["a", "b"]}, "the points of dtype"),
        ({"at": [1j, 2.0]}, "the points of dtype complex128"),
        ({"function": np.sum, "gradient": np.ones_like}, "no point to check the function at"),
    ],
)
def test_setting_out_of_range(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DomainError, match=problem):
        gradcheck(**settings)


# Functions of the user


def _softmax_jacobian(x: Array) -> Array:
    return _matrix(_softmax(x))


class Case(NamedTuple):
    """A function, its right gradient (None if the function returns it too), and where."""

    function: UserFunction
    gradient: UserFunction | None
    at: Any
    entries: int


USER = {
    "scalar": Case(lambda x: (x**2).sum(), lambda x: 2 * x, [1.0, -2.0, 3.0], 3),
    "scalar of one number": Case(lambda x: x[0] ** 3, lambda x: 3 * x**2, [2.0], 1),
    "several points": Case(np.prod, lambda x: np.prod(x) / x, [[1.0, 2.0], [-3.0, 0.5]], 4),
    "whole numbers": Case(lambda x: x @ x, lambda x: 2 * x, [1, 2], 2),
    "Python number": Case(lambda x: float(x[0] * x[1]), lambda x: x[::-1], [3, 4], 2),
    "vector": Case(lambda x: x**2, lambda x: np.diag(2 * x), [1.0, -2.0], 4),
    "vector of one output": Case(lambda x: x[:1] * x[1], lambda x: x[None, ::-1], [1, 2], 2),
    "its gradient": Case(lambda x: x[:1] * x[1], lambda x: x[::-1], [1, 2], 2),
    "vector of one input": Case(lambda x: [x[0], 2 * x[0]], lambda _: [[1.0], [2.0]], [5.0], 2),
    "vector at points": Case(_softmax, _softmax_jacobian, [[1.0, 2.0], [0.0, -0.5]], 8),
    "lists": Case(lambda x: [x[0], 3 * x[1]], lambda _: [[1, 0], [0, 3]], [1.0, 2.0], 4),
    "pair": Case(lambda x: (np.sin(x).sum(), np.cos(x)), None, [0.5, 1.0], 2),
    "pair of a vector": Case(lambda x: (x**2, np.diag(2 * x)), None, [0.5, 1.0, 2.0], 9),
    "pair at points": Case(lambda x: (x @ x, 2 * x), None, [[0.5, 1.0], [-2.0, 3.0]], 4),
    "float32": Case(np.prod, lambda x: (np.prod(x) / x).astype(np.float32), [3.0, 0.7], 2),
}


def _spoilt(case: Case, factor: float) -> Case:
    """Return the case with its gradient times a factor."""
    function, gradient = case.function, case.gradient
    if gradient is not None:
        wrong = gradient
        return case._replace(gradient=lambda x: factor * np.asarray(wrong(x)))

    def pair(x: Array) -> Any:
        value, slope = function(x)
        return value, factor * slope

    return case._replace(function=pair)


@pytest.mark.parametrize("method", ["central", "richardson"])
@pytest.mark.parametrize("name", USER)
def test_right_and_wrong_gradient_of_a_function(name: str, method: Method) -> None:
    case = USER[name]
    check = _only(gradcheck(*case[:3], method=method))
    assert (check.verdict, check.counts.over_tolerance) == ("pass", 0)
    assert (check.counts.entries, check.diagnosis) == (case.entries, None)
    for factor, diagnosis in {-1.0: "a flipped sign", 2.0: "a factor of 2"}.items():
        check = _only(gradcheck(*_spoilt(case, factor)[:3], method=method))
        assert check.verdict == "fail"
        # Of two inputs or points, 2 is also their number.
        assert str(check.diagnosis).split(", or ")[0] == diagnosis


def _log_softmax(x: Array) -> Array:
    log_S: Array = x - np.log(np.exp(x).sum())
    return log_S


@pytest.mark.parametrize(
    ("gradient", "diagnosis"),
    [
        (lambda x: np.eye(3) - _softmax(x)[:, None], "a transposed matrix"),
        (lambda x: np.diag(1 - _softmax(x)), "a Jacobian with only its diagonal"),
        (lambda x: (np.eye(3) - _softmax(x)) * 1.5, "1.5 times the reference"),
        (lambda x: np.eye(3) - _softmax(x) ** 2, None),
    ],
)
@every_method
def test_diagnosis_of_a_function(
    method: Method, gradient: UserFunction, diagnosis: str | None
) -> None:
    check = _only(gradcheck(_log_softmax, gradient, [0.5, 2.0, -1.0], method=method))
    assert check.verdict == "fail"
    if diagnosis is None:
        assert check.diagnosis is None
    else:
        assert diagnosis in str(check.diagnosis)


@pytest.mark.parametrize(
    ("dtype", "verdict"), [("float64", "fail"), ("float32", "pass"), ("float16", "pass")]
)
def test_tolerance_follows_the_dtype_of_the_gradient(dtype: str, verdict: Verdict) -> None:
    check = _only(gradcheck(np.prod, lambda x: (1.0005 * np.prod(x) / x).astype(dtype), [3.0, 0.7]))
    assert (check.dtype, check.verdict) == (dtype, verdict)


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [({}, "fail"), ({"rtol": 1e-2}, "pass"), ({"atol": 0.1}, "pass"), ({"rtol": 1e-4}, "fail")],
)
def test_given_tolerance(settings: dict[str, Any], verdict: Verdict) -> None:
    report = gradcheck(lambda x: x @ x, lambda x: 2.002 * x, [1.0, 2.0], **settings)
    assert report.verdict == verdict


@pytest.mark.parametrize(
    ("function", "gradient", "problem"),
    [
        (lambda x: x @ x, lambda x: np.diag(2 * x), r"the shape \(2, 2\).* the shape \(2,\)"),
        (lambda x: x @ x, lambda x: 2 * x[None], r"the shape \(1, 2\).* the shape \(2,\)"),
        (lambda x: x @ x, lambda x: 2 * x[:1], r"the shape \(1,\).* the shape \(2,\)"),
        (lambda x: x @ x, lambda x: 2 * x[0], r"the shape \(\).* the shape \(2,\)"),
        (lambda x: x**2, lambda x: 2 * x, r"the shape \(2,\).* the shape \(2, 2\)"),
        (lambda x: x[:1], lambda _: np.eye(2), r"the shape \(2, 2\).* the shape \(1, 2\)"),
        (lambda x: np.outer(x, x), lambda x: x, r"the shape \(2,\).* the shape \(4, 2\)"),
        (lambda x: (x @ x, x[:1]), None, r"the shape \(1,\).* the shape \(2,\)"),
        (lambda x: x @ x, None, "the function does not return a pair"),
        (lambda x: (x @ x, x, x), None, "the function does not return a pair"),
        (lambda x: [x @ x, 2 * x], None, "the function does not return a pair"),
    ],
)
def test_wrong_shape(function: UserFunction, gradient: UserFunction | None, problem: str) -> None:
    with pytest.raises(ShapeError, match=problem):
        gradcheck(function, gradient, [1.0, 2.0])


def test_complex_method_needs_a_function_of_complex_numbers() -> None:
    with pytest.raises(DomainError, match="does not take complex numbers"):
        gradcheck(lambda x: np.abs(x).sum(), np.sign, [1.0, 2.0], method="complex")


@every_method
def test_point_that_is_nan_fails(method: Method) -> None:
    check = _only(gradcheck(lambda x: x @ x, lambda x: 2 * x, [NAN, 1.0], method=method))
    assert check.verdict == "fail"
    assert check.counts.non_finite == check.counts.over_tolerance >= 1


@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [
        (np.exp, "inconclusive"),
        (lambda x: 1.003 * np.exp(x), "inconclusive"),
        (lambda x: 2 * np.exp(x), "fail"),
        (lambda x: -np.exp(x), "fail"),
    ],
)
def test_coarse_step_decides_only_what_it_can(gradient: UserFunction, verdict: Verdict) -> None:
    report = gradcheck(lambda x: np.exp(x).sum(), gradient, [0.5, 1.0], step=0.1)
    assert report.verdict == verdict


@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [(np.zeros_like, "vacuous"), (lambda x: 1e-16 * x, "vacuous"), (np.ones_like, "fail")],
)
def test_constant_function_proves_nothing(gradient: UserFunction, verdict: Verdict) -> None:
    report = gradcheck(lambda x: 5 + 0 * x.sum(), gradient, [1.0, 2.0], method="complex")
    assert report.verdict == verdict


def test_point_is_left_as_it_was() -> None:
    at = np.array([[1.0, 2.0], [3.0, 4.0]])
    gradcheck(lambda x: x @ x, lambda x: 2 * x, at)
    gradcheck(at=at)
    assert_array_equal(at, [[1.0, 2.0], [3.0, 4.0]])


def test_gradient_that_works_in_place_is_given_its_own_point() -> None:
    def doubled(x: Array) -> Array:
        x *= 2
        return x

    assert gradcheck(lambda x: x @ x, doubled, [1.0, 2.0]).verdict == "pass"


def test_name_of_the_check() -> None:
    def energy(x: Array) -> Array:
        return x @ x

    assert _only(gradcheck(energy, lambda x: 2 * x, [1.0])).name == "energy"
    assert _only(gradcheck(energy, lambda x: 2 * x, [1.0], name="mine")).name == "mine"


# Rows of many classes


def _many(rows: int = 1) -> Array:
    a = 2 * np.random.default_rng(7).standard_normal((rows, 1500))
    a[:, 3] = -INF
    return a


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.fast(1)
def test_rows_of_many_classes_are_checked_in_part(dtype: str) -> None:
    report = gradcheck(at=_many(2), dtype=dtype)
    assert report.verdict == "pass"
    entries = {check.name: check.counts.entries for check in report.checks}
    assert entries["softmax jacobian (columns)"] == 2 * 1499 * 64
    assert entries["softmax jvp"] == 2 * 1499
    assert entries["xent gradient (labels) (directions)"] == 2 * 6
    assert entries["xent gradient (labels) (entries)"] == 2 * 64


WRONG_ROWS: dict[str, Callable[[Array], Array]] = {
    "sign": lambda row: -row,
    "largest entry": lambda row: row + 0.01 * row * (np.abs(row) == np.abs(row).max()),
    "no largest entry": lambda row: row * (np.abs(row) < np.abs(row).max()),
    "other classes": lambda row: np.roll(row, 1),
}


@pytest.mark.parametrize("name", [name for name in BY_NAME if "jacobian" not in name])
@pytest.mark.parametrize("wrong", WRONG_ROWS)
def test_wrong_derivative_of_many_classes_fails(
    name: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = BY_NAME[name].analytic
    _swap(monkeypatch, BY_NAME[name], lambda a, T, v: WRONG_ROWS[wrong](right(a, T, v)))
    assert gradcheck(at=_many()).verdict == "fail"


def test_wrong_lines_of_a_large_jacobian_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    builtin = BY_NAME["softmax jacobian"]
    lines = builtin.lines
    assert lines is not None

    def wrong(a: Array, start: int, stop: int, *, temperature: float, out: Array) -> None:
        lines(a, start, stop, temperature=temperature, out=out)
        out *= 1 + 1e-4 * (start > 0)

    monkeypatch.setattr(module, "BUILTINS", (replace(builtin, lines=wrong),))
    assert gradcheck(at=2 * np.random.default_rng(0).standard_normal(5000)).verdict == "fail"
