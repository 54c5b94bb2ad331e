"""Sums that should be 1: what a dtype rounds is right, and what is no distribution is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli import log_softmax, softmax
from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest, packed
from softmax_cli.losses.distributions import sum_tolerance
from tests.formats.arrays.test_safetensors import safetensors
from tests.formats.conftest import folder
from tests.formats.rows import Array, examples
from tests.running import run

__all__ = ["folder"]

HALVES = ["float16", "bfloat16"]
# A format, and what reads it as what was written.
FORMS = {
    "x.safetensors": "",
    "x.npy": "--dtype bfloat16",
    "x.npz": "--dtype bfloat16",
    "x.parquet": "--dtype bfloat16",
    "x.arrow": "--dtype bfloat16",
}


def _dtype(name: str) -> np.dtype[np.generic]:
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


def _rounded(values: Array, dtype: str) -> Array:
    return nearest(values) if dtype == "bfloat16" else values.astype(dtype)


def _saved(name: str, values: Array, dtype: str) -> str:
    stored = packed(values) if dtype == "bfloat16" else values.astype(dtype)
    Path(name).write_bytes(safetensors(x=stored))
    return name


@pytest.mark.fast(3)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [*HALVES, "float32"])
def test_results_of_the_program_are_distributions(dtype: str, form: str) -> None:
    rng = np.random.default_rng(2)
    asked = FORMS[form] if dtype == "bfloat16" else ""
    most = 1000 if form in ("x.parquet", "x.arrow") else 20_000
    for classes, spread in ((2, 1), (10, 4), (most, 0.1)):
        z = _saved("z.safetensors", rng.normal(0, spread, (5, classes)), dtype)
        for option, kind in (("", "probabilities"), ("--log", "log-probabilities")):
            assert run(f"softmax-cli softmax {z} {option} -o {form}").code == 0
            line = f"softmax-cli xent {form} --from {kind} {asked} --labels"
            outcome = run(f"{line} 0,1,1,0,0")
            assert (outcome.code, outcome.err) == (0, ""), (classes, option)
        assert run(f"softmax-cli softmax {z} -o {form}").code == 0
        for line in (f"xent --p {form} --q {form}", f"xent {z} --targets {form}"):
            outcome = run(f"softmax-cli {line} {asked}")
            assert (outcome.code, outcome.err) == (0, ""), (classes, line)


@examples
@given(
    st.sampled_from(HALVES),
    st.integers(2, 100_000),
    st.floats(0.01, 100),
    st.sampled_from([0.0, 0.1, 1.0, 10.0]),
    st.integers(0, 99),
)
def test_results_are_read_again(
    dtype: str, classes: int, temperature: float, spread: float, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, (2, classes))
    z = _saved("z.safetensors", logits, dtype)
    for option, kind in (("", "probabilities"), ("--log", "log-probabilities")):
        line = f"softmax {z} {option} -t {temperature} -o x.safetensors"
        assert run(f"softmax-cli {line}").code == 0
        outcome = run(f"softmax-cli xent x.safetensors --from {kind} --labels 0,1 --quiet")
        assert (outcome.code, outcome.err) == (0, "")


@examples
@given(
    st.sampled_from([*HALVES, "float32", "float64"]),
    st.integers(2, 100_000),
    st.sampled_from([0.0, 0.01, 1.0, 10.0]),
    st.integers(0, 99),
)
def test_the_bounds_hold_for_one_rounding_with_room_to_spare(
    dtype: str, classes: int, spread: float, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, classes)
    for logs in (False, True):
        exact = log_softmax(logits) if logs else softmax(logits)
        rounded = _rounded(exact, dtype).astype(np.float64)
        off = abs((np.exp(rounded) if logs else rounded).sum() - 1)
        tolerance = sum_tolerance([_dtype(dtype)], classes, logs=logs)
        assert off <= tolerance / 2 or off <= 5e-4
        assert 1e-3 <= tolerance < 0.1


@pytest.mark.parametrize("dtype", [*HALVES, "float32", "float64"])
@pytest.mark.parametrize("total", [0.9, 1.1])
def test_what_is_no_distribution_is_refused(total: float, dtype: str) -> None:
    for classes in (2, 10, 1000):
        rows = np.full((2, classes), 1 / classes)
        p = _saved("p.safetensors", rows, dtype)
        x = _saved("x.safetensors", rows * total, dtype)
        logs = _saved("l.safetensors", np.log(rows * total), dtype)
        z = _saved("z.safetensors", np.random.default_rng(3).normal(0, 2, (2, classes)), dtype)
        for line in (
            f"{x} --from probabilities --labels 0,1",
            f"{logs} --from log-probabilities --labels 0,1",
            f"{z} --from log-probabilities --labels 0,1",
            f"{z} --targets {x}",
            f"--p {x} --q {p}",
            f"--p {p} --q {x}",
        ):
            outcome = run(f"softmax-cli xent {line}")
            assert (outcome.code, outcome.out) == (2, ""), (classes, line)
            assert " sum " in outcome.err


def test_each_file_has_the_tolerance_of_its_own_dtype() -> None:
    halves = packed(np.array([[0.5, 0.50390625]]))
    Path("half.safetensors").write_bytes(safetensors(x=halves))
    np.save("single.npy", np.array([[0.5, 0.50390625]], np.float32))
    assert run("softmax-cli xent --p half.safetensors --q half.safetensors").code == 0
    assert run("softmax-cli xent 1,2 --targets half.safetensors").code == 0
    for line in (
        "--p single.npy --q half.safetensors",
        "--p half.safetensors --q single.npy",
        "--p 0.5,0.50390625 --q half.safetensors",
        "0.5,0.50390625 --from probabilities --labels 0",
        "single.npy --from probabilities --labels 0",
        "half.safetensors --targets single.npy",
    ):
        outcome = run(f"softmax-cli xent {line}")
        assert outcome.code == 2, line
        assert "1.00391" in outcome.err


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wider_result_does_not_narrow_the_tolerance(dtype: str) -> None:
    Path("half.safetensors").write_bytes(safetensors(x=packed(np.array([[0.5, 0.50390625]]))))
    np.save("single.npy", np.array([[0.5, 0.5]], np.float32))
    line = f"--from probabilities --dtype {dtype} --labels"
    assert run(f"softmax-cli xent half.safetensors {line} 0").code == 0
    for files in ("half.safetensors single.npy", "single.npy half.safetensors"):
        assert run(f"softmax-cli xent {files} {line} 0,1").code == 0


def test_the_remedy_for_logarithms_that_were_widened() -> None:
    z = np.random.default_rng(0).normal(0, 3, (50, 10))
    rows = nearest(log_softmax(z))
    off = np.abs(np.exp(rows.astype(np.float64)).sum(axis=1) - 1)
    worst = rows[[off.argmax()]]
    np.save("l.npy", worst)
    Path("l.csv").write_text(",".join(map(str, worst[0])) + "\n")
    for name in ("l.npy", "l.csv"):
        line = f"softmax-cli xent {name} --from log-probabilities --labels 0"
        outcome = run(line)
        assert outcome.code == 2
        said = "--dtype bfloat16 if they were rounded to that, else --from says what the values"
        assert f"not 1; {said} are\n" in outcome.err
        assert run(f"{line} --dtype bfloat16").code == 0


def test_probabilities_in_half_precision_given_as_logits() -> None:
    z = np.random.default_rng(0).normal(0, 1, (50, 10))
    p = _saved("p.safetensors", softmax(z), "bfloat16")
    assert (np.abs(nearest(softmax(z)).astype(np.float64).sum(axis=1) - 1) > 1e-3).any()
    warned = run(f"softmax-cli xent {p} --labels {','.join('0' * 50)}")
    assert warned.code == 0
    assert "--from probabilities" in warned.err
    wide = _saved("z.safetensors", z, "bfloat16")
    assert run(f"softmax-cli xent {wide} --labels {','.join('0' * 50)}").err == ""


def test_typed_digits_keep_their_tolerance() -> None:
    assert run("softmax-cli xent --p 0.3333,0.3333,0.3333 --q 0.25,0.25,0.4999").code == 0
    for q in ("0.25,0.25,0.49", "0.25,0.25,0.51"):
        assert run(f"softmax-cli xent --p 0.3333,0.3333,0.3333 --q {q}").code == 2
