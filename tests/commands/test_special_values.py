"""Infinite, masked and missing values, and temperatures at both ends, through the real main."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.running import run

pytestmark = pytest.mark.fast(6)

NAN, INF = np.nan, np.inf


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _numbers(line: str) -> Any:
    outcome = run(f"softmax-cli {line} --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    return np.array([list(map(float, row.split(","))) for row in outcome.out.splitlines()])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("softmax 1e308 1e308 9e307 -t 0.01", [[0.5, 0.5, 0]]),
        ("softmax 1 2 -t 5e-324", [[0, 1]]),
        ("softmax 1 2 -t 1e308", [[0.5, 0.5]]),
        ("softmax 5e-324 -5e-324 -t 5e-324", [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))]]),
        ("softmax 3 --log", [[0]]),
        ("softmax 1e308 -1e308 --log --base 10", [[0, -8.685889638065037e307]]),
        ("softmax 0 -inf -inf --log", [[0, -INF, -INF]]),
        ("jacobian 1 2 3 -t 1e-310", np.zeros((3, 3))),
        ("jacobian 2 2 -inf -t 1e-310", [[INF, -INF, 0], [-INF, INF, 0], [0, 0, 0]]),
        ("jacobian 0 0 -t 1e-6 --dtype float16", [[INF, -INF], [-INF, INF]]),
        ("jacobian 1 2 --of log-softmax -t 5e-324", [[INF, -INF], [0, 0]]),
        ("jacobian 0 1 -t 1e308", [[2.5e-309, -2.5e-309]]),
        (
            "jacobian 1 2 3 --of log-softmax --vjp 1e308,1e308,1e308",
            [[7.299082804888587e307, 2.658145868356071e307, -9.957228673244657e307]],
        ),
        ("jacobian 1 2 3 --of log-softmax --jvp 0,0,inf", [[-INF, -INF, INF]]),
        ("xent 1e308,-1e308 --labels 1 --base 10", [[8.685889638065037e307]]),
        ("xent 1e308,-1e308 --targets 0.75,0.25", [[5e307]]),
        ("xent -inf,0 --targets 0,1", [[0]]),
        ("xent 1e308,-5e307 1e308,-5e307 --labels 1,1", [[1.5e308]]),
        ("xent --p 1e308,1e308 --q 1,1 --normalize", [[np.log(2)]]),
        ("xent 1e308,1e308 --from probabilities --normalize --labels 0", [[np.log(2)]]),
    ],
)
def test_values(line: str, expected: Any) -> None:
    found = _numbers(line)[: len(expected)]
    assert_allclose(found, expected, rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize(
    ("row", "temperature"),
    [
        # exp(a / T) nearly too large or too small for float64, and T at its own ends.
        ([6.9e22, 6.9e22, 0.0], 1e20),
        ([-6.9e-18, -6.9e-18, -6.91e-18], 1e-20),
        ([-6.9e-28, -6.9e-28, -6.95e-28], 1e-30),
        ([690 * 2.0**100, 689 * 2.0**100, 0.0], 2.0**100),
        ([-690 * 2.0**-85, -690.5 * 2.0**-85, -691 * 2.0**-85], 2.0**-85),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_exponentials_at_the_ends_of_float64(
    row: list[float], temperature: float, dtype: str
) -> None:
    logits = np.array([row], dtype)
    np.save("z.npy", logits)
    shifted = logits.astype(np.longdouble)[0] / np.longdouble(temperature)
    S = np.exp(shifted - shifted.max())
    S /= S.sum()
    J = S[:, None] * (np.eye(3) - S) / np.longdouble(temperature)
    rtol = 1e-13 if dtype == "float64" else 1e-7
    assert run(f"softmax-cli jacobian z.npy -t {temperature!r} -o J.npy").err == ""
    assert_allclose(np.load("J.npy")[0], J.astype(float), rtol=rtol, atol=1e-300)
    assert run(f"softmax-cli xent z.npy --labels 1 -t {temperature!r} --grad g.npy").err == ""
    gradient = (S - np.eye(3)[1]) / np.longdouble(temperature)
    assert_allclose(np.load("g.npy")[0], gradient.astype(float), rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("of", ["softmax", "log-softmax"])
@pytest.mark.parametrize("product", ["", "--jvp 2", "--vjp 2"])
def test_a_bad_row_of_one_class_is_nan(of: str, product: str) -> None:
    np.save("z.npy", [[1.0], [NAN], [3.0]])
    line = f"softmax-cli jacobian z.npy --of {of} {product} --on-bad-row nan -o out.npy"
    assert run(line).code == 0
    assert_array_equal(np.load("out.npy").ravel(), [0, NAN, 0])


@pytest.mark.parametrize("line", ["jacobian z.npy --jvp nan,0,0", "jacobian z.npy --vjp nan,0,0"])
def test_only_bad_rows_are_set_to_0(line: str) -> None:
    np.save("z.npy", np.array([[1.0, 2, 3], [NAN, 1, 2], [4, 4, 4]]))
    assert run(f"softmax-cli {line} --on-bad-row zero -o out.npy").code == 0
    assert_array_equal(np.load("out.npy"), [[NAN] * 3, [0] * 3, [NAN] * 3])


def test_the_lines_of_a_bad_row_are_set_to_0() -> None:
    np.save("z.npy", np.array([[1.0, 2], [INF, 1], [-INF, -INF], [4, 4]]))
    assert run("softmax-cli jacobian z.npy --on-bad-row zero -o out.npy").code == 0
    J = np.load("out.npy")
    assert_array_equal(J[1:3], np.zeros((2, 2, 2)))
    assert_array_equal(J[3], [[0.25, -0.25], [-0.25, 0.25]])


def test_zeros_have_no_sign() -> None:
    np.save("z.npy", [[0.0, -INF, 1.0], [5.0, -INF, -INF]])
    np.save("l.npy", [0, 0])
    run("softmax-cli jacobian z.npy -o J.npy")
    run("softmax-cli jacobian z.npy --of log-softmax -o L.npy")
    run("softmax-cli xent z.npy --labels l.npy --losses loss.npy --grad g.npy")
    run("softmax-cli softmax z.npy --log -o log.npy")
    for name in ("J.npy", "L.npy", "loss.npy", "g.npy", "log.npy"):
        values = np.load(name)
        assert not np.signbit(values[values == 0]).any(), name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "xent 1000,2 --from log-probabilities --labels 0",
            "arguments: row 0: log-probabilities whose exponentials sum to inf, not 1; "
            "--from says what the values are",
        ),
        (
            "xent 1e308,1e308 --from probabilities --labels 0",
            "arguments: row 0: probabilities with the sum inf, not 1; --normalize divides by the "
            "sum, --from says what the values are",
        ),
        (
            "xent -inf,-inf nan,0 --labels 0,0 --on-bad-row skip",
            "arguments: every row was skipped, arguments: row 0 first: it has no softmax: it "
            "holds nothing but -inf, so there is no loss; give at least one row that has a "
            "softmax",
        ),
        (
            "xent e.npy --labels l.npy",
            "e.npy: has no rows, so there is no loss; give at least one row that has a softmax",
        ),
        ("xent 1,2 --labels ''", "--labels: no labels; name a file, or type 2,0,1"),
    ],
)
def test_an_error_stands_alone(line: str, said: str) -> None:
    np.save("e.npy", np.empty((0, 5)))
    np.save("l.npy", np.empty(0, int))
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"softmax-cli: {said}\n")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_row_has_the_same_digits_beside_any_other(dtype: str, temperature: float) -> None:
    random = np.random.default_rng(9)
    # Confident rows: what is left beside the likeliest class is tiny, or nothing.
    rows = random.normal(scale=9.0, size=(300, 10)).astype(dtype)
    rows[::7, 1:] = -INF
    rows[3::7] -= np.array([0.0, *[700.0] * 9], dtype)
    for start in (0, 3, 4):
        np.save(f"z{start}.npy", rows[start:])
        np.save(f"l{start}.npy", random.integers(0, 1, 300 - start))
        line = f"z{start}.npy -t {temperature}"
        run(f"softmax-cli softmax {line} --log -o log{start}.npy")
        run(f"softmax-cli xent {line} --labels l{start}.npy --reduction sum --grad g{start}.npy")
    for what in ("log", "g"):
        whole = np.load(f"{what}0.npy")
        assert_array_equal(np.load(f"{what}3.npy"), whole[3:])
        assert_array_equal(np.load(f"{what}4.npy"), whole[4:])


@pytest.mark.parametrize("count", [2, 15])
def test_rows_of_infinite_loss_are_named(count: int) -> None:
    rows = np.zeros((20, 2))
    rows[3 : 3 + count, 0] = -INF
    np.save("z.npy", rows)
    np.save("l.npy", np.zeros(20, int))
    outcome = run("softmax-cli xent z.npy --labels l.npy --threads 2")
    named = ", ".join(f"z.npy: row {row}" for row in range(3, 3 + min(count, 10)))
    others = ", and 5 more" if count == 15 else ""
    assert (outcome.code, outcome.out) == (0, "inf\n")
    assert outcome.err == f"softmax-cli: {count} rows have an infinite loss: {named}{others}\n"
