"""The steps to a loss and its gradient: labels, distributions, weights, bases, reductions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.core.mpmath_reference import real
from tests.explain.steps import SHORT, exact_row, explained, near, said, typed
from tests.running import run

pytestmark = pytest.mark.fast(5)


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
    assert "sum_k Y(k) = 1, which leaves P - Y" in text
    soft = said("xent 1 2 3 --targets 0.2,0.3,0.5")
    assert "is left" not in soft
    assert "which leaves P - Y" not in soft


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


def test_what_class_masks_and_weights_do_is_said() -> None:
    line = "xent 9,2,3 -inf,1,2 --labels 1,2 --mask-class 0 --class-weights 1,2,5"
    text = said(f"{line} --sample-weights 3,4")
    assert text.count("1 class is masked by --mask-class") == 2
    assert "the logit is -inf" not in text
    assert "in a mean the row weighs s w(1) = 6" in text
    assert "in a mean the row weighs s w(2) = 20" in text
    assert "/ 26 = " in text
    soft = said("xent 1,2,3 --targets 0.5,0.25,0.25 --class-weights 1,2,5")
    assert "in a mean the row weighs 1\n" in soft


def test_the_entropy_is_weighted_as_its_formula_says() -> None:
    line = "xent --p 0.5,0.5 --q 0.25,0.75 --sample-weights 2"
    text = said(line)
    assert "H(p) = -s sum_k p(k) log p(k)" in text
    assert "KL(p||q) = s sum_k p(k) log (p(k) / q(k))" in text
    step = explained(line)["entropy"]
    near([step["entropy"]], [2 * real.log(2)])
    every = said(f"{line} --class-weights 1,3 --label-smoothing 0.1")
    assert "H(p) = -s sum_k w(k) p'(k) log p'(k)" in every
    assert "least where q is p\n" in text
    assert "least where q is p'\n" in said(f"{line} --label-smoothing 0.1")
    assert "least" not in every


@pytest.mark.parametrize(
    ("options", "formula"),
    [
        ("", "which leaves P - Y"),
        ("-t 2", "which leaves (P - Y) / T"),
        ("--base 2", "which leaves (P - Y) / log 2"),
        ("--base 10 -t 2", "which leaves (P - Y) / (T log 10)"),
    ],
)
def test_the_gradient_names_all_that_divides_it(options: str, formula: str) -> None:
    assert f"{formula}\n" in said(f"xent 1 2 3 --labels 2 {options}")


def test_an_infinite_loss_has_no_derivative() -> None:
    assert "has no derivative" in said("xent 1,-inf --labels 1")
    assert "has no derivative" not in said("xent 1,-800 --labels 1")


def test_rows_that_keep_their_own_losses_are_listed() -> None:
    text = said("xent 1,2,3 3,2,1 0,9,0 0,0,0 --labels 2,0,1,1 --reduction none")
    assert "with --reduction none each row keeps its own loss" in text
    table = text[text.index("\nrow  ") :]
    lines = table.splitlines()[3:7]
    assert [line.split()[0] for line in lines] == ["0", "1", "2", "3"]
    assert float(lines[3].split()[1]) == pytest.approx(math.log(3), rel=1e-5)
    assert "weights" not in table


def test_what_is_divided_by_its_sum_or_written_instead_is_said() -> None:
    assert "p and q are divided by their sums" in said("xent --p 1,1 --q 1,3 --normalize")
    assert "Y is divided by its sum" in said("xent 1,2 --targets 1,1 --normalize")
    assert "(--normalize)" not in said("xent --p 0.5,0.5 --q 0.25,0.75")
    masked = said("xent 0.5,0.25,0.25 --from probabilities --labels 1 --mask-class 0")
    assert "P is 0 for the classes in --mask-class; the rest is divided by its sum" in masked
    for what, written in (("nan", "nan"), ("zero", "0")):
        words = f"{written} is written instead (--on-bad-row {what})"
        assert words in said(f"softmax nan,1 1,2 --on-bad-row {what}")
        assert words in said(f"xent --p 0.5,0.5 --q 0.5,nan --on-bad-row {what}")


def test_the_other_files_of_a_loss_are_written_beside() -> None:
    line = "softmax-cli xent 1,2 3,4 --labels 0,1 --explain --grad g.npy --losses l.csv"
    assert run(line).code == 0
    gradient = np.load("g.npy")
    assert gradient.shape == (2, 2)
    assert len(Path("l.csv").read_text().split()) == 2
