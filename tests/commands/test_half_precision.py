"""float16 and bfloat16 files: computed in float64, and rounded once to what the file holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from softmax_cli import (
    cross_entropy_gradient,
    log_softmax,
    log_softmax_vjp,
    softmax,
    softmax_jacobian,
    softmax_jvp,
)
from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest, packed, widened
from tests.formats.arrays.test_safetensors import safetensors
from tests.running import run

ROWS = nearest(np.random.default_rng(3).normal(0, 4, (400, 5)))
LABELS = np.random.default_rng(4).integers(0, 5, len(ROWS))
V = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
WIDE = ROWS.astype(np.float64)

COMMANDS: dict[str, Any] = {
    "softmax": lambda: softmax(WIDE),
    "softmax -t 0.3": lambda: softmax(WIDE, temperature=0.3),
    "softmax --log": lambda: log_softmax(WIDE),
    "softmax --log --base 2": lambda: log_softmax(WIDE) / np.log(2),
    "jacobian": lambda: softmax_jacobian(WIDE),
    "jacobian --jvp 1,-2,0.5,0,3": lambda: softmax_jvp(WIDE, V),
    "jacobian --of log-softmax --vjp 1,-2,0.5,0,3": lambda: log_softmax_vjp(WIDE, V),
}


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("bfloat16.npy", packed(ROWS))
    np.save("fortran.npy", np.asfortranarray(packed(ROWS)))
    np.savez("bfloat16.npz", logits=packed(ROWS))
    np.save("float16.npy", ROWS.astype(np.float16))
    np.save("float32.npy", ROWS)
    np.save("labels.npy", LABELS)


def _loaded(name: str) -> Any:
    array = np.load(name)
    return widened(array) if array.dtype == BFLOAT16 else array


def _rounded(values: Any, dtype: str) -> Any:
    return nearest(values) if dtype == "bfloat16" else np.asarray(values).astype(dtype)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("command", COMMANDS)
def test_results_are_rounded_once_and_stored_as_they_came(command: str, dtype: str) -> None:
    asked = "--dtype bfloat16" if dtype == "bfloat16" else ""
    name, _, options = command.partition(" ")
    outcome = run(f"softmax-cli {name} {dtype}.npy {options} {asked} -o out.npy")
    assert (outcome.code, outcome.err) == (0, "")
    assert np.load("out.npy").dtype == (BFLOAT16 if dtype == "bfloat16" else dtype)
    assert_array_equal(_loaded("out.npy"), _rounded(COMMANDS[command](), dtype))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_another_dtype_than_that_of_the_file_is_rounded_to_once(dtype: str) -> None:
    assert run(f"softmax-cli softmax float32.npy --dtype {dtype} -o out.npy").code == 0
    assert_array_equal(_loaded("out.npy"), _rounded(softmax(WIDE), dtype))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_gradient_is_checked_by_the_dtype_of_its_file(dtype: str) -> None:
    asked = "--dtype bfloat16" if dtype == "bfloat16" else ""
    files = f"{dtype}.npy --labels labels.npy"
    assert run(f"softmax-cli xent {files} {asked} --reduction sum --grad g.npy").code == 0
    expected = cross_entropy_gradient(WIDE, LABELS, reduction="sum")
    assert_array_equal(_loaded("g.npy"), _rounded(expected, dtype))
    check = f"softmax-cli gradcheck --logits {files} {asked} --reduction sum --grad"
    outcome = run(f"{check} g.npy")
    assert outcome.code == 0, outcome.out
    wrong = _rounded(2 * expected, dtype)
    np.save("wrong.npy", packed(wrong) if dtype == "bfloat16" else wrong)
    assert run(f"{check} wrong.npy").code == 1


@pytest.fixture
def along() -> list[tuple[str, str]]:
    """Write logits whose classes lie in the middle, in every format that holds bfloat16."""
    array = packed(np.moveaxis(ROWS.reshape(20, 20, 5), -1, 1))
    np.save("along.npy", array)
    np.save("along_fortran.npy", np.asfortranarray(array))
    np.savez("along.npz", z=array)
    Path("along.safetensors").write_bytes(safetensors(z=array))
    asked = "--axis 1 --dtype bfloat16"
    files = [(name, asked) for name in ("along.npy", "along_fortran.npy", "along.npz")]
    return [*files, ("along.safetensors", "--axis 1")]


@pytest.mark.fast(4)
@pytest.mark.parametrize("output", ["out.npy", "out.npz", "out.safetensors"])
@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "jacobian"])
def test_the_dtype_is_kept_along_another_axis(
    command: str, output: str, along: list[tuple[str, str]]
) -> None:
    name, _, options = command.partition(" ")
    expected = np.moveaxis(COMMANDS[command]().reshape(20, 20, 5), -1, 1)
    for source, asked in along:
        outcome = run(f"softmax-cli {name} {source} {options} {asked} -o {output}")
        assert (outcome.code, outcome.err) == (0, "")
        if output == "out.safetensors":
            data = Path(output).read_bytes()
            assert b'"BF16"' in data
            halves = np.frombuffer(data[-2 * expected.size :], BFLOAT16).reshape(expected.shape)
        elif output == "out.npz":
            with np.load(output) as arrays:
                (halves,) = arrays.values()
        else:
            halves = np.load(output)
        assert halves.dtype == BFLOAT16
        assert_array_equal(widened(halves).reshape(expected.shape), nearest(expected))


def test_jacobians_along_another_axis_keep_the_dtype(along: list[tuple[str, str]]) -> None:
    for source, asked in along:
        assert run(f"softmax-cli jacobian {source} {asked} -o J.npy").code == 0
        assert np.load("J.npy").dtype == BFLOAT16
        check = f"softmax-cli gradcheck --of softmax --logits {source} {asked}"
        outcome = run(f"{check} --dtype bfloat16 --jacobian J.npy --format json")
        assert outcome.code == 0, outcome.out
        assert '"dtype": "bfloat16"' in outcome.out


@pytest.mark.parametrize("targets", ["--labels labels.npy", "--targets y"])
def test_gradients_along_another_axis_are_checked_by_their_dtype(
    targets: str, along: list[tuple[str, str]]
) -> None:
    np.save("labels.npy", LABELS.reshape(20, 20))
    expected = cross_entropy_gradient(WIDE, LABELS)
    G = packed(np.moveaxis(expected.reshape(20, 20, 5), -1, 1))
    onehot = packed(np.moveaxis(np.eye(5)[LABELS].reshape(20, 20, 5), -1, 1))
    for source, asked in along:
        suffix = Path(source).suffix
        for name, array in (("g", G), ("y", onehot), ("wrong", packed(2 * widened(G)))):
            if suffix == ".npz":
                np.savez(f"{name}.npz", z=array)
            elif suffix == ".npy":
                np.save(f"{name}.npy", array)
            else:
                Path(f"{name}.safetensors").write_bytes(safetensors(z=array))
        given = targets.replace(" y", f" y{suffix}")
        check = f"softmax-cli gradcheck --logits {source} {asked} {given} --format json --grad"
        outcome = run(f"{check} g{suffix}")
        assert outcome.code == 0, outcome.out + outcome.err
        assert '"dtype": "bfloat16"' in outcome.out
        assert run(f"{check} wrong{suffix}").code == 1
        assert run(f"softmax-cli xent {source} {asked} {given} --grad own{suffix}").code == 0
        assert Path(f"own{suffix}").read_bytes()[-len(G.tobytes()) :] == G.tobytes() or (
            suffix == ".npz"
        )


def test_products_are_checked_along_another_axis(along: list[tuple[str, str]]) -> None:
    upstream = nearest(np.random.default_rng(5).normal(size=ROWS.shape))
    v = np.moveaxis(upstream.reshape(20, 20, 5), -1, 1)
    np.save("v.npy", packed(v))
    Path("v.safetensors").write_bytes(safetensors(z=packed(v)))
    for source, asked in along:
        suffix = ".safetensors" if source == "along.safetensors" else ".npy"
        line = f"jacobian {source} {asked} --vjp v{suffix} -o u{suffix}"
        assert run(f"softmax-cli {line}").code == 0
        check = f"gradcheck --of softmax --logits {source} {asked} --upstream v{suffix}"
        outcome = run(f"softmax-cli {check} --grad u{suffix} --format json")
        assert outcome.code == 0, outcome.out + outcome.err
        assert '"dtype": "bfloat16"' in outcome.out


@pytest.mark.parametrize("source", ["bfloat16.npy", "fortran.npy", "bfloat16.npz"])
@pytest.mark.parametrize("output", ["out.npy", "out.npz"])
def test_every_way_in_and_out(source: str, output: str) -> None:
    outcome = run(f"softmax-cli softmax {source} --dtype bfloat16 -o {output}")
    assert (outcome.code, outcome.err) == (0, "")
    array = np.load(output)
    values = array["probabilities"] if output.endswith("npz") else array
    assert values.dtype == BFLOAT16
    assert_array_equal(widened(values), nearest(softmax(WIDE)))


def test_standard_input_and_the_digits_of_the_rounded_numbers() -> None:
    words = [sys.executable, "-m", "softmax_cli", "softmax", "-", "--dtype", "bfloat16"]
    with Path("bfloat16.npy").open("rb") as piped:
        text = subprocess.run(words, stdin=piped, capture_output=True, check=True, text=True).stdout
    rows = [list(map(float, line.split(","))) for line in text.splitlines()]
    assert_array_equal(np.array(rows, np.float32), nearest(softmax(WIDE)))
    assert text == run("softmax-cli softmax bfloat16.npy --dtype bfloat16 | cat").out


def test_parquet_holds_it_as_float32() -> None:
    import polars as pl

    assert run("softmax-cli softmax bfloat16.npy --dtype bfloat16 -o out.parquet").code == 0
    table = pl.read_parquet("out.parquet")
    assert set(table.dtypes) == {pl.Float32}
    assert_array_equal(table.to_numpy(), nearest(softmax(WIDE)))


def test_raw_bytes_are_numbers_only_if_that_is_said() -> None:
    outcome = run("softmax-cli softmax bfloat16.npy -o out.npy")
    assert outcome.code == 2
    assert outcome.err == (
        "softmax-cli: bfloat16.npy: holds raw bytes, two per number (dtype |V2), like bfloat16; "
        "--dtype bfloat16 reads them as bfloat16\n"
    )
    assert not Path("out.npy").exists()
    outcome = run("softmax-cli gradcheck --dtype bfloat16")
    assert outcome.code == 2
    assert "not computed in bfloat16" in outcome.err


def test_probabilities_too_small_for_the_dtype_are_subnormal_or_0() -> None:
    row = np.array([[0.0, -16.0, -16.5, -30.0]], np.float16)
    np.save("small.npy", row)
    assert run("softmax-cli softmax small.npy -o out.npy").code == 0
    expected = softmax(row.astype(np.float64)).astype(np.float16)
    assert_array_equal(_loaded("out.npy"), expected)
    assert expected[0, 3] == 0 < expected[0, 2]


def test_losses_of_half_precision_are_float64() -> None:
    line = "softmax-cli xent float16.npy --labels labels.npy --losses losses.npy"
    assert run(line).code == 0
    losses = np.load("losses.npy")
    assert losses.dtype == np.float64
    logs = log_softmax(ROWS.astype(np.float16).astype(np.float64))
    assert_allclose(losses, -np.take_along_axis(logs, LABELS[:, None], -1)[:, 0], rtol=1e-15)
