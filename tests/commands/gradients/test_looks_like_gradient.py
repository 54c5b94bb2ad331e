"""A gradient file given as logits is refused; logits are not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.commands.gradients.looks_like_gradient import is_named_like_a_gradient
from softmax_cli.core.exact.bfloat16 import nearest, packed
from tests.running import Outcome, run

Array = NDArray[Any]

RNG = np.random.default_rng(21)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def _softmax(Z: Array) -> Array:
    E = np.exp(Z - Z.max(axis=-1, keepdims=True))
    P: Array = E / E.sum(axis=-1, keepdims=True)
    return P


def _gradient(Z: Array) -> Array:
    """Return the gradients of the losses in the dtype of the logits, as a framework does."""
    G = _softmax(Z)
    rows = np.arange(len(Z))
    G[rows, rows % Z.shape[1]] -= 1
    return G


def _logits(rows: int, classes: int, size: float = 2.0) -> Array:
    Z: Array = size * RNG.standard_normal((rows, classes))
    return Z


def _refused(outcome: Outcome, said: str) -> None:
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert "--logits Z --labels L --grad" in outcome.err
    assert "--of all if it holds logits" in outcome.err


def _passes(line: str) -> None:
    outcome = run(f"softmax-cli gradcheck {line}")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("built-in derivatives, at ")
    assert "\nverdict: pass (built-in derivatives)\n" in outcome.out


# Names

GRADIENTS = [
    *("wrong_gradient.npy", "gradient.csv", "G_grad_3.npy", "GRAD.NPY", "logits.grad.csv"),
    *("dz.npy", "dZ.npy", "dz3.csv", "ep3_dz.csv", "dL_dz.npy", "dLdz.npy", "d_z.npy"),
    *("dlogits-ep3.csv", "dLogits.npy", "DLOGITS.csv", "d_logits.npy", "d-logits.csv"),
    *("loss_dlogits.npy", "dloss_dlogits.npy", "dxent_dz.npy", "zgrad.npy", "wGrad3.npy"),
    *("gradEpoch3.npy", "gradep3.npy", "autograd.npy", "my gradients.csv", "grad"),
    *("graded_gradient.csv", "undergraduate_grad.csv", "gradz.json"),
]
LOGITS = [
    *("z.npy", "logits.csv", "digits_logits.npy", "graded_logits.csv", "gradedLogits.csv"),
    *("undergraduate.csv", "grades.csv", "GRADES.CSV", "graduates_2024.csv", "upgrade.npy"),
    *("centigrade.csv", "degraded_logits.npy", "gradual.csv", "grading-logits.csv", "rad.npy"),
    *("old_logits.npy", "trained_logits.npy", "bad_z.npy", "badz.npy", "adz.npy", "badlogits.csv"),
    *("2d_logits.npy", "logits_2d_z.npy", "dzone.csv", "logits_d.npz", "long_radius.npy", "d.npz"),
]


@pytest.mark.fast(8)
@pytest.mark.parametrize("name", GRADIENTS)
def test_file_named_like_a_gradient_is_refused(name: str) -> None:
    assert is_named_like_a_gradient(name)
    Path(name).write_text("1,2,3\n4,5,6\n")
    if Path(name).suffix.lower() == ".npy":
        with Path(name).open("wb") as file:
            np.save(file, _logits(2, 3))
    elif name.endswith(".json"):
        Path(name).write_text("[[1, 2, 3]]")
    _refused(run(f"softmax-cli gradcheck '{name}'"), f"{name}: is named like a gradient")
    _passes(f"'{name}' --of all")


@pytest.mark.fast(8)
@pytest.mark.parametrize("name", LOGITS)
def test_other_file_names_are_accepted(name: str) -> None:
    assert not is_named_like_a_gradient(name)


def test_the_folder_does_not_count() -> None:
    Path("gradcheck-run").mkdir()
    np.save("gradcheck-run/z.npy", _logits(2, 3))
    _passes("gradcheck-run/z.npy")


def test_names_of_the_array_and_of_all_columns_count() -> None:
    np.savez("step3.npz", dlogits=_logits(2, 3), z=_logits(2, 3))
    outcome = run("softmax-cli gradcheck step3.npz --key dlogits")
    _refused(outcome, "step3.npz: its array 'dlogits' is named like a gradient")
    _passes("step3.npz --key z")
    Path("step.csv").write_text("id,grad_0,grad_1\na,1,2\nb,3,4\n")
    outcome = run("softmax-cli gradcheck step.csv --id-columns id")
    _refused(outcome, "step.csv: its columns are named like a gradient")


# Rows

P = np.array([0.1, 0.2, 0.3, 0.4])
CASES: dict[str, Callable[[], Array]] = {
    "float64": lambda: _gradient(_logits(50, 10)),
    "float32": lambda: _gradient(_logits(50, 10).astype(np.float32)),
    "float16": lambda: _gradient(_logits(50, 10).astype(np.float16)),
    "many classes, float32": lambda: _gradient(_logits(4, 5000).astype(np.float32)),
    "many classes, float16": lambda: _gradient(_logits(4, 300)).astype(np.float16),
    "float32 in float64": lambda: _gradient(_logits(50, 10).astype(np.float32)).astype(float),
    "one row": lambda: _gradient(_logits(1, 3)),
    "divided by the rows": lambda: _gradient(_logits(500, 10).astype(np.float32)) / np.float32(500),
    "scaled by the loss": lambda: _gradient(_logits(50, 10).astype(np.float32)) * np.float32(65536),
    "twice what it should be": lambda: 2 * _gradient(_logits(50, 10)),
    "of the wrong sign": lambda: -_gradient(_logits(50, 10)),
    "of almost certain rows": lambda: _gradient(_certain().astype(np.float32)),
    "weighted": lambda: _gradient(_logits(50, 10)) * RNG.uniform(0, 5, (50, 1)),
    "ignored rows": lambda: _gradient(_logits(50, 10)) * (np.arange(50) % 3 > 0)[:, None],
    "masked classes": lambda: np.insert(_gradient(_logits(50, 10)), 3, 0, axis=1),
    "zeros alone": lambda: np.zeros((5, 3)),
    "three dimensions": lambda: _gradient(_logits(12, 4)).reshape(3, 4, 4),
    "a Jacobian": lambda: np.diag(P) - np.outer(P, P),
    "centred logits of one row": lambda: np.array([[1.0, -1.5, 0.5]]),
}


def _certain() -> Array:
    Z = _logits(50, 10)
    rows = np.arange(50)
    Z[rows, rows % 10] += 14
    return Z


@pytest.mark.parametrize("case", CASES)
def test_rows_that_all_sum_to_0_are_refused(case: str) -> None:
    array = CASES[case]()
    np.save("g.npy", array)
    said = "its rows all sum to 0, as those of a gradient do"
    _refused(run("softmax-cli gradcheck g.npy"), f"g.npy: {said}")
    rows = array.reshape(-1, array.shape[-1])
    np.savetxt("g.csv", rows, delimiter=",", fmt="%.9g")
    _refused(run("softmax-cli gradcheck g.csv"), f"g.csv: {said}")
    Path("g.json").write_text(json.dumps(array.tolist()))
    _refused(run("softmax-cli gradcheck g.json"), f"g.json: {said}")


@pytest.mark.parametrize("narrow", ["float16", "bfloat16"])
@pytest.mark.parametrize("wide", ["float32", "float64"])
def test_16_bit_gradient_is_recognized_in_a_wider_dtype(narrow: str, wide: str) -> None:
    G = _gradient(_logits(50, 10))
    G = nearest(G) if narrow == "bfloat16" else G.astype(np.float16)
    np.save("g.npy", G.astype(wide))
    _refused(run("softmax-cli gradcheck g.npy"), "g.npy: its rows all sum to 0")


@pytest.mark.parametrize("digits", ["%.6g", "%.6f", "%.7f", "%.9e"])
def test_text_of_few_digits_is_refused(digits: str) -> None:
    np.savetxt("g.csv", _gradient(_logits(50, 10)).astype(np.float32), delimiter=",", fmt=digits)
    _refused(run("softmax-cli gradcheck g.csv"), "g.csv: its rows all sum to 0")


def test_bfloat16_is_refused() -> None:
    np.save("g.npy", packed(_gradient(_logits(50, 10))))
    # The built-in derivatives are not computed in bfloat16, whatever the file is.
    assert run("softmax-cli gradcheck g.npy --dtype bfloat16").code == 2
    np.save("wide.npy", nearest(_gradient(_logits(50, 10))).astype(np.float16))
    assert run("softmax-cli gradcheck wide.npy").code == 2


def test_every_way_to_give_a_file() -> None:
    G = _gradient(_logits(4, 3))
    np.save("z.npy", _logits(4, 3))
    np.save("g.npy", G)
    said = "its rows all sum to 0"
    for line in ("z.npy g.npy", "g.npy z.npy", "'?.npy'", "./g.npy", "g.npy --on-bad-row skip"):
        _refused(run(f"softmax-cli gradcheck {line}"), f"g.npy: {said}")
    text = io.StringIO()
    np.savetxt(text, G, delimiter=",")
    _refused(
        run(f"printf '{text.getvalue()}' | softmax-cli gradcheck -"), f"standard input: {said}"
    )
    np.save("turned.npy", G.T)
    _passes("turned.npy")
    _refused(run("softmax-cli gradcheck turned.npy --axis 0"), said)


@pytest.mark.parametrize("of", ["softmax", "log-softmax", "xent", "all"])
def test_of_says_that_the_values_are_logits(of: str) -> None:
    np.save("g.npy", _gradient(_logits(4, 3)))
    _passes(f"g.npy --of {of}")


RIGHT: dict[str, Array] = {
    "logits": _logits(5, 3),
    "small logits": 1e-3 * _logits(5, 3),
    "a row that does not sum to 0": np.array([[1.0, -1.0], [2.0, -2.0], [0.5, 0.25]]),
    "a sum that is small, and not of rounding": np.array([[1.0, 2.0, -2.99]]),
    "masked classes": np.array([[1.0, -1.0, -np.inf], [2.0, -2.0, -np.inf]]),
    "probabilities": _softmax(_logits(5, 3)),
    "float16": _logits(5, 10).astype(np.float16),
    "one row of float16": np.array([[1.5, 0.25, -1.0]], np.float16),
    "large and small rows": np.array([[1e6, -1e6], [0.5, -0.25]]),
}


@pytest.mark.parametrize("case", RIGHT)
def test_logits_are_not_refused(case: str) -> None:
    np.save("z.npy", RIGHT[case])
    outcome = run("softmax-cli gradcheck z.npy")
    assert outcome.err == ""
    assert outcome.out.startswith("built-in derivatives, at the ")


def test_typed_rows_are_not_refused() -> None:
    for line in ("1 -1", "1,-1 0.5,-0.5", "0 0", "'[1,-1]'"):
        _passes(line)


def test_zero_rows_are_not_refused() -> None:
    np.save("z.npy", np.empty((0, 3)))
    outcome = run("softmax-cli gradcheck z.npy")
    assert (outcome.code, outcome.err) == (3, "")


# The first and last lines say what was checked


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("", "8 seeded points"),
        ("--points 1", "1 seeded point"),
        ("1 2 3", "your point"),
        ("1,2,3 4,5,7", "your 2 points"),
        ("z.npy", "the 4 rows of z.npy, taken as logits"),
        ("z.npy --of xent", "the 4 rows of z.npy, taken as logits"),
        ("one.csv", "the 1 row of one.csv, taken as logits"),
        ("z.npy one.csv", "the 5 rows of z.npy and 1 more, taken as logits"),
        ("bad.csv --on-bad-row skip", "2 rows of bad.csv, taken as logits"),
    ],
)
def test_the_first_line_and_the_verdict(line: str, where: str) -> None:
    np.save("z.npy", _logits(4, 3))
    Path("one.csv").write_text("1,2,4\n")
    Path("bad.csv").write_text("1,2,4\nnan,1,2\n0,3,1\n")
    outcome = run(f"softmax-cli gradcheck {line}")
    assert outcome.code == 0
    about = f"built-in derivatives, at {where}"
    assert outcome.out.split("\n")[0] == about
    assert "\nverdict: pass (built-in derivatives)\n" in outcome.out
    report = json.loads(run(f"softmax-cli gradcheck {line} --format json").out)
    assert (report["verdict"], report["subject"]) == ("pass", "built-in")
    assert {(check["subject"], check["about"]) for check in report["checks"]} == {
        ("built-in", about)
    }


def test_standard_input_is_named() -> None:
    outcome = run("printf '1,2,4\n' | softmax-cli gradcheck -")
    first = outcome.out.split("\n")[0]
    assert first == "built-in derivatives, at the 1 row of standard input, taken as logits"


# A report for a build

BUILDS = ["--format github", "--format junit", "--report r.xml", "--report r.json", "-o r.xml"]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("subject", ["", "1 2 3", "z.npy", "--seed 3", "- "])
def test_a_report_for_a_build_needs_a_subject(build: str, subject: str) -> None:
    np.save("z.npy", _logits(4, 3))
    outcome = run(f"softmax-cli gradcheck {subject} {build}")
    assert (outcome.code, outcome.out) == (2, "")
    assert "checks nothing of yours, and a report of it would always pass" in outcome.err
    for given in ("--logits Z --labels L --grad G", "module:function", "--config PATH", "--of all"):
        assert given in outcome.err
    assert not list(Path().glob("r.*"))


@pytest.mark.parametrize("build", BUILDS)
def test_a_report_with_a_subject_is_written(build: str) -> None:
    np.save("z.npy", _logits(3, 3))
    G = _gradient(np.load("z.npy")) / 3
    np.save("G.npy", G)
    for subject in (
        "--of softmax",
        "z.npy --of all",
        "--logits z.npy --labels 0,1,2 --grad G.npy",
        "numpy:sum --grad numpy:ones_like --at 1,2",
    ):
        outcome = run(f"softmax-cli gradcheck {subject} {build}")
        assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("build", ["--format json", "--format table", "-o r.json", "-o r.txt"])
def test_other_forms_need_no_subject(build: str) -> None:
    assert run(f"softmax-cli gradcheck {build}").code == 0


def test_of_all_does_not_apply_to_gradient_files() -> None:
    np.save("z.npy", _logits(3, 3))
    line = "softmax-cli gradcheck --logits z.npy --grad z.npy --of all"
    for partner in ("--labels 0,1,2", "--upstream z.npy"):
        outcome = run(f"{line} {partner}")
        assert (outcome.code, outcome.out) == (2, "")
        assert "--of" in outcome.err or "does not say of which function" in outcome.err
