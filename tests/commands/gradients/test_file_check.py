"""Gradient files with the options of xent: right ones, wrong ones, and their diagnosis."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.running import run

pytestmark = pytest.mark.fast(3)

Array = NDArray[Any]
ROWS, N = 9, 4
RNG = np.random.default_rng(11)
Z = 2 * RNG.standard_normal((ROWS, N))
LABELS = "2,0,3,-1,1,2,0,-1,3"
SOFT = RNG.dirichlet(np.ones(N), ROWS)
S = "--sample-weights 1,2,0.5,1,3,1,1,7,0.25"
W = "--class-weights 1,2,0.5,4"
IGNORE = "--ignore-label -1"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", Z)
    np.save("soft.npy", SOFT)
    np.savetxt("named.csv", Z, delimiter=",", header="a,b,c,d", comments="", fmt="%.17g")
    lines = ["a,b,c,d,label"]
    names = ["c", "a", "d", "-", "b", "c", "a", "-", "d"]
    for row, name in zip(Z.tolist(), names, strict=True):
        lines.append(",".join([*map(repr, row), name]))
    Path("labelled.csv").write_text("\n".join(lines) + "\n")


def _written(options: str, path: str = "g.npy") -> Array:
    """Return the gradient that xent writes; other tests compare it with torch."""
    outcome = run(f"softmax-cli xent z.npy {options} --grad {path} --quiet")
    assert outcome.code == 0, outcome.err
    G: Array = np.load(path)
    return G


def _check(options: str, logits: str = "z.npy") -> dict[str, Any]:
    outcome = run(f"softmax-cli gradcheck --logits {logits} {options} --format json")
    assert outcome.out, outcome.err
    (check,) = json.loads(outcome.out)["checks"]
    assert outcome.code == {"pass": 0, "fail": 1}.get(check["verdict"], 3)
    return dict(check)


OF_LABELS = f"--labels {LABELS} {IGNORE}"
OPTIONS = [
    OF_LABELS,
    f"{OF_LABELS} --reduction sum",
    f"{OF_LABELS} --reduction batch-mean",
    f"{OF_LABELS} --reduction none",
    f"{OF_LABELS} {W}",
    f"{OF_LABELS} {S}",
    f"{OF_LABELS} {W} {S} --reduction batch-mean",
    f"{OF_LABELS} --label-smoothing 0.2",
    f"{OF_LABELS} --label-smoothing 0.2 {W} {S} --base 2 -t 0.7",
    f"{OF_LABELS} -t 3",
    f"{OF_LABELS} --base 10",
    "--labels 2,0,0,1,1,2,0,1,2 --mask-class 3",
    "--targets soft.npy",
    f"--targets soft.npy {W} --label-smoothing 0.1 --reduction sum",
    f"--targets soft.npy {S}",
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_of_xent(options: str) -> None:
    G = _written(options)
    check = _check(f"{options} --grad g.npy")
    assert (check["verdict"], check["over_tolerance"]) == ("pass", 0)
    assert (check["points"], check["entries"]) == (ROWS, G.size)
    for place in ((0, 1), (4, 1), (8, 0)):
        wrong = G.copy()
        wrong[place] *= 1 + 1e-4
        np.save("wrong.npy", wrong)
        check = _check(f"{options} --grad wrong.npy")
        assert (check["verdict"], check["over_tolerance"]) == ("fail", 1)
        assert check["worst"][0]["index"] == list(place)
        assert check["diagnosis"] is None


def test_targets_that_do_not_sum_to_1_are_normalized() -> None:
    np.save("soft.npy", 3 * SOFT)
    _written("--targets soft.npy --normalize")
    assert _check("--targets soft.npy --normalize --grad g.npy")["verdict"] == "pass"
    outcome = run("softmax-cli gradcheck --logits z.npy --targets soft.npy --grad g.npy")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--normalize" in outcome.err


def test_labels_in_a_column_of_the_logits() -> None:
    G = _written(OF_LABELS)
    check = _check("--label-column label --ignore-label - --grad g.npy", "labelled.csv")
    assert check["verdict"] == "pass"
    np.save("g.npy", G[::-1])
    check = _check("--label-column label --ignore-label - --grad g.npy", "labelled.csv")
    assert check["verdict"] == "fail"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("--from probabilities --labels 0 --grad g.npy", "--from: a gradient is with respect to"),
        ("--labels 0 --label-column a --grad g.npy", "--grad: does not say what it is the"),
        ("--upstream soft.npy --of softmax --class-weights 1,2 --grad g.npy", "--class-weights"),
        ("--jacobian g.npy --of softmax --base 2", "--base: does not go with --jacobian"),
        (f"{OF_LABELS} --class-weights 1,2 --grad g.npy", "2 weights for the 4 classes"),
        (f"{OF_LABELS} --label-smoothing 2 --grad g.npy", "smoothing: must be from 0 to 1, got 2"),
        ("--labels -1,-1,-1,-1,-1,-1,-1,-1,-1 --ignore-label -1 --on-bad-row nan --grad g.npy",
         "--on-bad-row"),
    ],
)  # fmt: skip
def test_usage(options: str, problem: str) -> None:
    _written(OF_LABELS)
    outcome = run(f"softmax-cli gradcheck --logits z.npy {options}")
    assert (outcome.code, outcome.out) == (2, "")
    assert problem in outcome.err
    assert outcome.err.count("\n") == 1


# What a wrong gradient looks like


def _softmax(T: float = 1.0) -> Array:
    exponentials = np.exp((Z - Z.max(axis=1, keepdims=True)) / T)
    P: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return P


def _shifted(by: int) -> str:
    labels = [int(label) for label in LABELS.split(",")]
    moved = [label if label == -1 else (label + by) % N for label in labels]
    return f"--labels {','.join(map(str, moved))} {IGNORE}"


def _with_ignored(G: Array) -> Array:
    return np.where((G == 0).all(axis=1, keepdims=True), _softmax() / 7, G)


ALL = "--labels 2,0,3,1,1,2,0,3,3"
WRONG: dict[str, tuple[str, Callable[[Array], Array] | str, str]] = {
    "other labels, +1": (OF_LABELS, _shifted(1), "labels off by one: too high"),
    "other labels, -1": (OF_LABELS, _shifted(-1), "labels off by one: too low"),
    "no weights": (f"{OF_LABELS} {W}", OF_LABELS, "the class weights left out"),
    "no samples": (f"{OF_LABELS} {S}", OF_LABELS, "the sample weights left out"),
    "no smoothing": (
        f"{OF_LABELS} {W} --label-smoothing 0.1",
        f"{OF_LABELS} {W}",
        "the label smoothing left out",
    ),
    "nothing": (
        f"{OF_LABELS} {W} {S} --label-smoothing 0.1",
        OF_LABELS,
        "all weights and the label smoothing left out",
    ),
    "no temperature": (f"{OF_LABELS} -t 3", OF_LABELS, "the temperature left out"),
    "soft, no weights": (f"--targets soft.npy {W}", "--targets soft.npy", "the class weights left"),
    "sum": (ALL, f"{ALL} --reduction sum", "a missing division by the number of rows"),
    "mean": (f"{ALL} --reduction sum", ALL, "a division by the number of rows too many"),
    "all rows": (
        OF_LABELS,
        lambda G: G * 7 / 9,
        "a division by all rows, not by what they weigh or by those used",
    ),
    "weights' sum": (
        f"{OF_LABELS} {W}",
        f"{OF_LABELS} {W} --reduction sum",
        "a missing division by the denominator of the mean",
    ),
    "ignored": (OF_LABELS, _with_ignored, "ignored rows that are not zero"),
    "ignored and counted": (
        OF_LABELS,
        lambda G: _with_ignored(G * 7 / 9),
        "ignored rows that are not zero, and count in the mean",
    ),
    "bits": (OF_LABELS, f"{OF_LABELS} --base 2", "a factor of 1/ln 2, as of bits"),
    "nats": (f"{OF_LABELS} --base 2", OF_LABELS, "a factor of ln 2"),
    "probabilities": (
        ALL,
        lambda G: np.where(G < 0, -1 / (9 * _softmax()), 0),
        "a gradient with respect to the probabilities, not the logits",
    ),
    "rows": (ALL, lambda G: G[[3, 1, 2, 0, 4, 5, 8, 7, 6]], "shuffled rows"),
    "classes": (ALL, lambda G: G[:, [1, 2, 0, 3]], "shuffled classes"),
    "classes of one": (ALL, lambda G: 4 * G, "a factor of N, the number of classes"),
    "T": (f"{OF_LABELS} -t 3", lambda G: 3 * G, "a missing 1/T"),
    "T twice": (f"{OF_LABELS} -t 3", lambda G: G / 3, "1/T taken twice"),
    "label": (f"--targets soft.npy {W}", lambda G: G + SOFT * [1, 2, 0.5, 4] / 9, "the missing -1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_wrong_gradient_looks_like(name: str) -> None:
    options, wrong, diagnosis = WRONG[name]
    G = _written(wrong) if isinstance(wrong, str) else wrong(_written(options))
    np.save("g.npy", G)
    check = _check(f"{options} --grad g.npy")
    assert (check["verdict"], str(check["diagnosis"])[: len(diagnosis)]) == ("fail", diagnosis)
    # It is named only if it explains all of the difference.
    G[0, np.abs(G[0]).argmax()] *= 1.01
    np.save("g.npy", G)
    check = _check(f"{options} --grad g.npy")
    assert (check["verdict"], check["diagnosis"]) == ("fail", None)


UPSTREAM = "--upstream soft.npy --of"


@pytest.mark.parametrize(
    ("of", "wrong", "diagnosis"),
    [
        ("softmax", lambda _: SOFT, "a gradient with respect to the probabilities, not the logits"),
        ("log-softmax", lambda _: SOFT, "a gradient with respect to the log-probabilities"),
        ("softmax", lambda P: P * SOFT, "a missing sum over the classes"),
        ("softmax", lambda P: SOFT * P * (1 - P), "a Jacobian with only its diagonal"),
        ("log-softmax", lambda P: SOFT * (1 - P), "a Jacobian with only its diagonal"),
        ("softmax", lambda P: SOFT - P, "the gradient of log-softmax"),
        ("log-softmax", lambda P: P * (SOFT - (P * SOFT).sum(1, keepdims=True)),
         "the gradient of softmax"),
    ],
)  # fmt: skip
def test_what_a_wrong_product_looks_like(
    of: str, wrong: Callable[[Array], Array], diagnosis: str
) -> None:
    np.save("g.npy", wrong(_softmax()))
    check = _check(f"{UPSTREAM} {of} --grad g.npy")
    assert (check["verdict"], str(check["diagnosis"])[: len(diagnosis)]) == ("fail", diagnosis)


def test_saturated_rows_are_counted_and_all_of_them_are_vacuous() -> None:
    np.save("z.npy", [[1.0, 2.0, 0.5, 0.0], [100.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 200.0]])
    labels = "--labels 1,0,3"
    G = _written(labels)
    check = _check(f"{labels} --grad g.npy")
    assert (check["verdict"], check["points"], check["vacuous"]) == ("pass", 3, 2)
    table = run(f"softmax-cli gradcheck --logits z.npy {labels} --grad g.npy").out
    assert "2 of 3 points prove nothing" in table
    np.save("g.npy", np.zeros_like(G)[1:])
    np.save("z.npy", np.load("z.npy")[1:])
    assert _check("--labels 0,3 --grad g.npy")["verdict"] == "vacuous"
    assert _check("--labels 0,2 --grad g.npy")["verdict"] == "fail"


def test_rows_of_small_weight_have_small_tolerances() -> None:
    weights = "--sample-weights 1,1,1,1e-9,1,1,1,1,1"
    G = _written(f"{ALL} {weights}").astype(np.float32)
    np.save("g.npy", G)
    assert _check(f"{ALL} {weights} --grad g.npy")["verdict"] == "pass"
    G[3] *= 1.05
    np.save("g.npy", G)
    check = _check(f"{ALL} {weights} --grad g.npy")
    assert (check["verdict"], check["over_tolerance"]) == ("fail", 4)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.fast(1)
def test_report_does_not_depend_on_threads(threads: int) -> None:
    rows = 30_000
    z = np.random.default_rng(0).standard_normal((rows, 30))
    labels = np.arange(rows) % 30
    np.save("z.npy", z)
    np.save("labels.npy", labels)
    G = _written("--labels labels.npy")
    G[1::7] *= 1.01
    np.save("g.npy", G)
    line = "softmax-cli gradcheck --logits z.npy --labels labels.npy --grad g.npy --format json"
    reports = [json.loads(run(f"{line} --threads {n}").out)["checks"] for n in (threads, 3)]
    for (check,) in reports:
        del check["reproduce"]
    assert reports[0] == reports[1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_wrong_gradient_in_a_pipe_is_diagnosed() -> None:
    G = _written(ALL)
    os.mkfifo("pipe")

    def write() -> None:
        with Path("pipe").open("w") as pipe:
            np.savetxt(pipe, -G, delimiter=",", fmt="%.17g")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    check = _check(f"{ALL} --grad pipe")
    writer.join()
    assert (check["verdict"], check["diagnosis"]) == ("fail", "a flipped sign")
