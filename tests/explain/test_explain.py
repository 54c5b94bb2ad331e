"""Numbers of explanations are exact, and names come from the input."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from softmax_cli.commands import jacobian, softmax
from tests.core.mpmath_reference import Case, real
from tests.explain.steps import SHORT, exact_row, explained, near, said, typed
from tests.running import run

pytestmark = pytest.mark.fast(5)


@pytest.mark.parametrize("name", SHORT)
def test_the_numbers_of_softmax(name: str) -> None:
    case = SHORT[name]
    steps = explained(f"softmax {typed(case)}")
    assert list(steps) == ["formula", "exponentials", "shift", "probabilities", "derivative"]
    over, S = exact_row(case)
    near(steps["formula"]["logits"], [real.mpf(a) for a in case.logits], units=0)
    near(steps["exponentials"]["exponentials"], [real.exp(a) for a in over], units=0.5)
    h = real.fsum(map(real.exp, over))
    near([steps["exponentials"]["log_sum"]], [real.log(h)], scale=1.0)
    near([steps["exponentials"]["sum"]], [h], units=2000)
    m = max(over)
    near(steps["shift"]["exponentials"], [real.exp(a - m) for a in over], units=0.5)
    near([steps["shift"]["sum"]], [real.fsum(real.exp(a - m) for a in over)])
    near(steps["probabilities"]["probabilities"], S)


@pytest.mark.parametrize("name", SHORT)
def test_where_naive_evaluation_overflows(name: str) -> None:
    case = SHORT[name]
    naive = explained(f"softmax {typed(case)}")["exponentials"]["naive"]
    with np.errstate(all="ignore"):
        g = np.exp(np.array(case.logits) / case.temperature)
        printed = g / g.sum()
    assert naive["overflows"] == bool(np.isinf(g).any())
    assert naive["underflows"] == (not g.any())
    assert np.array_equal(np.array(naive["probabilities"], float), printed, equal_nan=True)
    text = said(f"softmax {typed(case)}")
    assert ("exp overflows in float64 above 709.783" in text) == naive["overflows"]
    assert ("exp underflows in float64 below -745.133" in text) == naive["underflows"]
    right = [float(S) for S in exact_row(case)[1]]
    agrees = all(math.isclose(a, b, rel_tol=1e-7) for a, b in zip(printed, right, strict=True))
    assert ("naive evaluation prints the right digits" in text) == agrees


@pytest.mark.parametrize(
    ("logits", "printed"),
    [
        ("1000 1001", "prints nan, nan"),
        ("1000 0", "prints nan, 0"),
        ("-1000 -1001", "prints nan, nan"),
        ("709.5 709.5", "the sum overflows in float64"),
        ("1 2", "naive evaluation prints the right digits"),
    ],
)
def test_what_naive_evaluation_would_have_printed(logits: str, printed: str) -> None:
    assert printed in " ".join(said(f"softmax {logits}").split())


@pytest.mark.parametrize(
    ("dtype", "logit", "limit"), [("float32", 89.0, "88.7228"), ("float16", 12.0, "11.0899")]
)
def test_the_dtype_of_a_file_says_where_exp_overflows(dtype: str, logit: float, limit: str) -> None:
    np.save("row.npy", np.array([logit, 0.0], dtype))
    text = said("softmax row.npy")
    assert f"exp overflows in {dtype} above {limit}" in text


def test_numbers_beyond_float64_are_written_none_the_less() -> None:
    text = said("softmax 1000 -1e308 --precision 5")
    assert "1.9701e+434" in text
    assert "10^(-4.3429e+307)" in text


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("of", ["softmax", "log-softmax"])
def test_the_numbers_of_the_jacobian(name: str, of: str) -> None:
    case = SHORT[name]
    steps = explained(f"jacobian {typed(case)} --of {of}")
    _, S = exact_row(case)
    T, N = real.mpf(case.temperature), len(S)

    def exact(i: int, j: int) -> Any:
        factor = S[i] if of == "softmax" else 1
        # Without the rounding of 1 - S, which is none at 400 digits.
        return factor * ((i == j) - S[j]) / T

    for entries, i in zip(steps["jacobian"]["entries"], range(N), strict=True):
        near(entries, [exact(i, j) for j in range(N)])
    for which in ("diagonal", "off-diagonal"):
        if "i" in steps[which]:
            i, j = steps[which]["i"], steps[which]["j"]
            assert (i == j) == (which == "diagonal")
            near([steps[which]["derivative"]], [exact(i, j)])
            assert f"for i = {i}" in steps[which]["title"]
    assert ("quotient-rule" in steps) == (of == "softmax")


@pytest.mark.parametrize("of", ["softmax", "log-softmax"])
@pytest.mark.parametrize("product", ["vjp", "jvp"])
def test_the_numbers_of_products(of: str, product: str) -> None:
    case, v = Case((1.0, 2.0, -3.0), 0.5), [1.0, -2.0, 0.25]
    step = explained(f"jacobian {typed(case)} --of {of} --{product} {','.join(map(repr, v))}")
    _, S = exact_row(case)
    J = [
        [(S[i] if of == "softmax" else 1) * ((i == j) - S[j]) / case.temperature for j in range(3)]
        for i in range(3)
    ]
    exact = [
        real.fsum(v[k] * (J[k][j] if product == "vjp" else J[j][k]) for k in range(3))
        for j in range(3)
    ]
    near(step[product]["product"], exact)
    weighs = (of, product) != ("log-softmax", "vjp")
    near([step[product]["sum"]], [real.fsum(a * (S[k] if weighs else 1) for k, a in enumerate(v))])


def test_one_class_has_no_second_case() -> None:
    assert "There is no other class" in said("jacobian 5")
    assert "There is no other class" in said("jacobian 5 --of log-softmax")


def test_the_quotient_rule_on_ones_own_numbers() -> None:
    text = said("jacobian 1 2 3")
    for line in (
        "dS_i/da_j = (dg_i/da_j h - g_i dh/da_j) / h^2",
        "= (20.0855 * 30.1929 - 20.0855 * 20.0855) / 30.1929^2",
        "= 0.665241 * 0.334759",
        "= (0 - 20.0855 * 7.38906) / 30.1929^2",
        "= -0.665241 * 0.244728",
        "dS_i/da_j = S_i (delta_ij - S_j)",
    ):
        assert line in text
    shifted = said("jacobian 1001 1002 1003")
    assert "= (1 * 1.50321 - 1 * 1) / 1.50321^2" in shifted
    assert "g and h are taken after the shift" in shifted


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("command", ["softmax", "jacobian", "xent --labels 0,1"])
def test_rows_without_a_softmax(bad: str, command: str) -> None:
    line = f"{command} {bad},{bad} 0,1"
    assert run(f"softmax-cli {line} --explain").code == 2
    for what in ("nan", "zero"):
        text = said(f"{line} --on-bad-row {what}")
        assert "The row has no softmax" in text
        assert text.index("row 0") < text.index("The row has no softmax") < text.index("row 1")
    assert "The formula" in said(f"{line} --on-bad-row skip")


def test_long_rows_are_shortened_and_say_so() -> None:
    np.save("long.npy", np.random.default_rng(0).normal(0, 5, (5, 3000)).astype("f4"))
    top = int(np.load("long.npy")[0].argmax())
    for command in ("softmax", "jacobian", "xent --labels 0,1,2,3,4"):
        text = said(f"{command} long.npy")
        assert "of 3000 classes shown" in text
        assert "3 of 5 rows explained" in text
        assert f"\n   {top} " in text
        assert len(text.splitlines()) < 400
    steps = explained("softmax long.npy")
    assert len(steps["formula"]["classes"]) < 20


def test_no_matrix_is_made_that_nobody_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        return lambda _: pytest.fail("a matrix for a text")

    np.save("wide.npy", np.arange(3000.0)[None])
    monkeypatch.setattr(jacobian, "_matrix_kernel", refused)
    monkeypatch.setattr(softmax, "_kernel", refused)
    for command in ("softmax", "jacobian"):
        assert "of 3000 classes shown" in said(f"{command} wide.npy")


def test_class_names_are_those_of_the_header() -> None:
    text = said("xent samples/iris.csv --label-column label")
    assert "only the term of setosa is left" in text
    assert "3 of 150 rows explained" in text
    assert (
        json.loads(
            run(
                "softmax-cli softmax samples/iris.csv --id-columns label --explain --format json"
            ).out
        )["rows"]
        == 150
    )


def test_further_steps() -> None:
    steps = explained("softmax 1,2,3 --log --base 10 --top-k 2")
    S = exact_row(Case((1.0, 2.0, 3.0)))[1]
    near(steps["log-probabilities"]["log_probabilities"], [real.log10(s) for s in S])
    assert steps["top-k"]["classes"] == [2, 1]
    assert (
        steps["log-probabilities"]["formula"][0] == "log S_j = (a_j - m) - log sum_k exp(a_k - m)"
    )
    steps = explained("softmax 1,2,3 --log -t 2")
    formula = "log S_j = (a_j - m) / T - log sum_k exp((a_k - m) / T)"
    assert steps["log-probabilities"]["formula"] == [formula]
    assert "the naive logarithm of the naive probability is -inf" in said("softmax 0 -800 --log")


def test_any_axis_and_integers() -> None:
    np.save("columns.npy", np.arange(6).reshape(3, 2))
    assert explained("softmax columns.npy --axis 0")["formula"]["logits"] == [1, 3, 5]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--format csv", "--format: an explanation cannot be written as csv"),
        ("-o x.npy", "x.npy: an explanation cannot be written as npy"),
        ("--output-dir out", "--explain: explains the first rows of one input"),
    ],
)
def test_what_does_not_go_with_an_explanation(options: str, error: str) -> None:
    for command in ("softmax", "jacobian", "xent --labels 0"):
        outcome = run(f"softmax-cli {command} 1,2 --explain {options}")
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.startswith(f"softmax-cli: {error}")
    assert not Path("x.npy").exists()


def test_an_explanation_goes_to_a_file() -> None:
    assert run("softmax-cli softmax 1 2 --explain -o words.txt").out == ""
    assert Path("words.txt").read_text() == said("softmax 1 2")
    run("softmax-cli softmax 1 2 --explain -o words.json")
    assert json.loads(Path("words.json").read_text())["steps"]


def test_what_is_computed_in_place_is_explained_as_it_was() -> None:
    logits = np.load("samples/digits_logits.npy")
    for command in ("softmax", "xent --labels samples/digits_labels.npy --grad g.npy"):
        told = explained(f"{command} samples/digits_logits.npy")["formula"]["logits"]
        assert told == logits[2].astype(float).tolist()


def test_how_a_confident_row_keeps_its_digits() -> None:
    text = said("jacobian 60 0")
    assert "1 - S_i is the sum of the other probabilities" in text
    assert "naive evaluation in float64 prints 0\n" in text
    assert "naive evaluation" in said("jacobian 40 0 --of log-softmax")
    assert "the other probabilities" not in said("jacobian 1 2 3")
    assert "-log P(0) = -log (1 - 8.75651e-27)" in said("xent 60 0 --labels 0")
    tiny = str(mpmath.nstr(real.exp(-2000), 6))
    assert f"-log P(1) = -log {tiny}" in said("xent 2000 0 --labels 1")


def test_what_is_less_than_rounding_is_called_so() -> None:
    assert "read them as 0" in said("jacobian 0.1 0.2 0.7 --vjp .1,.1,.1")
    assert "read them as 0" not in said("jacobian 0.1 0.2 0.7 --vjp 1,2,1")


def test_naive_evaluation_is_compared_in_its_own_dtype() -> None:
    np.save("half.npy", np.array([1, 2, 3], "f2"))
    naive = explained("softmax half.npy")["exponentials"]["naive"]
    a = np.array([1, 2, 3], "f2")
    g = np.exp(a)
    exact = np.array([float(S) for S in exact_row(Case((1.0, 2.0, 3.0)))[1]]).astype("f2")
    assert naive["agrees"] == bool((g / g.sum() == exact).all())
    logits = np.random.default_rng(0).normal(0, 3, (2, 3)).astype("f2")
    np.save("half.npy", logits)
    text = " ".join(said("softmax half.npy").split())
    assert "it prints 0.0750732 for class 1, not 0.0751343" in text


def test_mpmath_is_exact_enough() -> None:
    assert mpmath.almosteq(real.fsum(exact_row(SHORT["gap 700"])[1]), 1, 1e-300)
