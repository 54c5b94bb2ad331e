"""Every number of an explanation is the exact one, and the words are those of the input."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from rich.cells import cell_len

from softmax_cli.commands import jacobian, softmax
from tests.core.exact import CASES, Case, real
from tests.running import ROOT, run

SHORT = {name: case for name, case in CASES.items() if len(case.logits) <= 20}
Steps = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def _at_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(ROOT / "samples")


def explained(line: str) -> Steps:
    """Return the steps that a command tells, by their names."""
    outcome = run(f"softmax-cli {line} --explain --format json --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    return {step["step"]: step for step in json.loads(outcome.out)["steps"]}


def said(line: str) -> str:
    """Return what a command explains to people, whose lines fit 80 columns."""
    outcome = run(f"softmax-cli {line} --explain --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    copied = ("softmax-cli ",)
    assert [
        each for each in outcome.out.splitlines() if cell_len(each) > 80 and copied[0] not in each
    ] == []
    return outcome.out


def typed(case: Case) -> str:
    """Return the words of a command line that are a row and its temperature."""
    return f"{','.join(map(repr, case.logits))} -t {case.temperature!r}"


def near(got: list[Any], exact: list[Any], *, units: float = 8, scale: float = 0.0) -> None:
    """Compare numbers as JSON holds them with exact ones; what no float64 holds is 0 or inf."""
    assert len(got) == len(exact)
    for number, true in zip(got, exact, strict=True):
        nearest = float(true)
        if math.isinf(nearest):
            assert number == ("inf" if nearest > 0 else "-inf")
            continue
        allowed = units * (math.ulp(nearest) + scale * 2.0**-52)
        assert abs(float(number) - nearest) <= allowed, (number, nearest)


def exact_row(case: Case) -> tuple[list[Any], list[Any]]:
    """Return a / T and S of a row, exactly."""
    T = real.mpf(case.temperature)
    over = [real.mpf(a) / T for a in case.logits]
    g = [real.exp(a) for a in over]
    h = real.fsum(g)
    return over, [each / h for each in g]


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
    assert "g and h are those after the shift" in shifted


@pytest.mark.parametrize("name", SHORT)
def test_the_numbers_of_a_loss_of_a_label(name: str) -> None:
    case = SHORT[name]
    _, S = exact_row(case)
    T = real.mpf(case.temperature)
    for label in sorted({0, len(S) - 1}):
        if S[label] == 0:
            continue
        steps = explained(f"xent {typed(case)} --labels {label}")
        exact = -real.log(S[label])
        near([steps["loss"]["loss"]], [exact])
        assert steps["loss"]["label"] == label
        gradient = [(S[j] - (j == label)) / T for j in range(len(S))]
        near(steps["gradient"]["gradient"], gradient)
        assert steps["reduction"]["loss"] == steps["loss"]["loss"]


def test_a_confident_row_keeps_its_digits() -> None:
    text = said("xent 60 0 --labels 0")
    assert "= 0 + 8.75651e-27, where nothing cancels" in text
    assert "naive evaluation in float64 prints 0" in text
    assert "= 8.75651e-27 nats" in text


def test_a_label_that_naive_evaluation_takes_for_impossible() -> None:
    assert "naive evaluation in float64 prints inf" in said("xent 800 0 --labels 1")


def test_the_one_hot_sum_collapses() -> None:
    text = said("xent 1 2 3 --labels 2")
    assert "only the term of 2 is left: -log P(2) = -log 0.665241" in text
    assert "sum_k Y(k) = 1, so that it is P - Y" in text
    soft = said("xent 1 2 3 --targets 0.2,0.3,0.5")
    assert "is left" not in soft
    assert "so that it is P - Y" not in soft


def test_weights_smoothing_masks_and_bases() -> None:
    line = (
        "xent 1,2,3 --labels 2 --class-weights 1,2,3 --label-smoothing 0.1 --sample-weights 2"
        " --base 2 -t 2 --reduction sum --mask-class 0"
    )
    steps = explained(line)
    g = [0, real.exp(1), real.exp("1.5")]
    S = [each / real.fsum(g) for each in g]
    E = real.mpf(0.1)
    W = [0, 2 * 2 * E / 2, 2 * 3 * (1 - E + E / 2)]
    log2 = real.log(2)
    loss = -real.fsum(w * real.log(s) for w, s in zip(W[1:], S[1:], strict=True)) / log2
    near([steps["loss"]["loss"]], [loss])
    near(steps["loss"]["targets"], W)
    gradient = [(s * real.fsum(W) - w) / 2 / log2 for s, w in zip(S, W, strict=True)]
    near(steps["gradient"]["gradient"], gradient, scale=1.0)
    text = said(line)
    for words in (
        "loss = -s sum_k w(k) Y'(k) log P(k)",
        "E = 0.1, N = 2",
        "s = 2 is the weight of the row",
        "1 class is masked",
        "divided by log 2",
    ):
        assert words in text


@pytest.mark.parametrize("reduction", ["mean", "batch-mean", "sum", "none"])
def test_how_the_losses_are_put_together(reduction: str) -> None:
    rows = "xent 1,2,3 3,2,1 0,9,0 0,0,0 --labels 2,0,-1,1 --ignore-label -1"
    steps = explained(f"{rows} --reduction {reduction}")["reduction"]
    losses = [math.log(sum(map(math.exp, (0, -1, -2)))) for _ in range(2)] + [math.log(3)]
    if reduction == "none":
        assert steps["loss"] is None
        return
    divisor = {"mean": 3, "batch-mean": 3, "sum": 1}[reduction]
    assert steps["loss"] == pytest.approx(sum(losses) / divisor, rel=1e-14)
    assert steps["sum"] == pytest.approx(sum(losses), rel=1e-14)
    text = said(f"{rows} --reduction {reduction}")
    assert "3 of 4 rows explained" in text
    assert "The row is ignored" in text


def test_two_distributions() -> None:
    steps = explained("xent --p 0.5,0.5,0 --q 0.25,0.75,0")
    exact = -(real.log(0.25) + real.log(0.75)) / 2
    near([steps["loss"]["loss"]], [exact])
    near([steps["entropy"]["entropy"]], [real.log(2)])
    near([steps["entropy"]["kl_divergence"]], [exact - real.log(2)], scale=1.0)
    assert "0 log 0 = 0" in said("xent --p 0.5,0.5,0 --q 0.25,0.75,0")
    assert "gradient" not in steps


@pytest.mark.parametrize("kind", ["probabilities", "log-probabilities"])
def test_what_is_given_as_probabilities(kind: str) -> None:
    values = [0.25, 0.75] if kind == "probabilities" else [math.log(0.25), math.log(0.75)]
    steps = explained(f"xent {','.join(map(repr, values))} --from {kind} --labels 1")
    near([steps["loss"]["loss"]], [-real.log(0.75)])
    assert "exponentials" not in steps


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
    assert "the naive logarithm of the naive probability is -inf" in said("softmax 0 -800 --log")


def test_any_axis_and_integers() -> None:
    np.save("columns.npy", np.arange(6).reshape(3, 2))
    assert explained("softmax columns.npy --axis 0")["formula"]["logits"] == [1, 3, 5]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--format csv", "--format: an explanation has no form in csv"),
        ("-o x.npy", "x.npy: an explanation has no form in npy"),
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


def test_the_other_files_of_a_loss_are_written_beside() -> None:
    line = "softmax-cli xent 1,2 3,4 --labels 0,1 --explain --grad g.npy --losses l.csv"
    assert run(line).code == 0
    gradient = np.load("g.npy")
    assert gradient.shape == (2, 2)
    assert len(Path("l.csv").read_text().split()) == 2


def test_what_is_computed_in_place_is_explained_as_it_was() -> None:
    logits = np.load("samples/digits_logits.npy")
    for command in ("softmax", "xent --labels samples/digits_labels.npy --grad g.npy"):
        told = explained(f"{command} samples/digits_logits.npy")["formula"]["logits"]
        assert told == logits[2].astype(float).tolist()


def test_mpmath_is_exact_enough() -> None:
    assert mpmath.almosteq(real.fsum(exact_row(SHORT["gap 700"])[1]), 1, 1e-300)
