"""Second inputs whose leading dimensions are not those of the values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softmax_cli import cross_entropy
from softmax_cli.errors import ShapeError
from tests.formats.arrays.test_safetensors import safetensors
from tests.running import run

SHAPE, FLAT, TURNED = (2, 3), (6,), (3, 2)
RNG = np.random.default_rng(21)
Z = RNG.normal(size=(*SHAPE, 4))
LABELS = RNG.integers(0, 4, SHAPE)
WEIGHTS = RNG.uniform(1, 2, SHAPE)
VECTORS = RNG.dirichlet(np.ones(4), SHAPE)
LOSS = float(cross_entropy(Z, LABELS))


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", Z)
    np.save("flat.npy", Z.reshape(6, 4))
    np.save("middle.npy", np.moveaxis(Z, -1, 1))
    np.save("first.npy", np.moveaxis(Z, -1, 0))
    np.save("l.npy", LABELS)
    np.save("turned.npy", LABELS.reshape(TURNED))
    np.save("w.npy", WEIGHTS)
    np.save("v.npy", VECTORS)


def _saved(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], form: str) -> str:
    name = f"other.{form.removeprefix('fortran ')}"
    if form == "npz":
        np.savez(name, x=array)
    elif form == "safetensors":
        Path(name).write_bytes(safetensors(x=array))
    else:
        np.save(name, np.asfortranarray(array) if form.startswith("fortran") else array)
    return name


FORMS = ["npy", "fortran npy", "npz", "safetensors"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [SHAPE, FLAT, (6, 1), (2, 3, 1)])
def test_labels_of_the_same_rows(shape: tuple[int, ...], form: str) -> None:
    name = _saved(LABELS.reshape(shape), form)
    outcome = run(f"softmax-cli xent z.npy --labels {name}")
    assert (outcome.code, outcome.err) == (0, "")
    np.testing.assert_allclose(float(outcome.out), LOSS, rtol=1e-14)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [TURNED, (3, 2, 1), (1, 6), (6, 1, 1), (1, 2, 3)])
def test_labels_of_another_shape(shape: tuple[int, ...], form: str) -> None:
    name = _saved(LABELS.reshape(shape), form)
    outcome = run(f"softmax-cli xent z.npy --labels {name}")
    said = f"labels of shape {shape} for z.npy of shape (2, 3, 4)"
    assert (outcome.code, outcome.out) == (2, "")
    assert f"{said}; give labels of shape (2, 3), or flat (6,)\n" in outcome.err
    with pytest.raises(ShapeError):
        cross_entropy(Z, LABELS.reshape(shape))


def test_flat_values_have_flat_labels() -> None:
    outcome = run("softmax-cli xent flat.npy --labels l.npy")
    said = "l.npy: labels of shape (2, 3) for flat.npy of shape (6, 4); give labels of shape (6,)"
    assert (outcome.code, outcome.err) == (2, f"softmax-cli: {said}\n")
    with pytest.raises(ShapeError):
        cross_entropy(Z.reshape(6, 4), LABELS)


@pytest.mark.parametrize(
    ("values", "shape", "axis"),
    [
        *(("middle.npy", (2, 4, 3), axis) for axis in (1, -2)),
        *(("first.npy", (4, 2, 3), axis) for axis in (0, -3)),
    ],
)
def test_along_another_axis(values: str, shape: tuple[int, ...], axis: int) -> None:
    line = f"softmax-cli xent {values} --axis {axis} --labels"
    assert run(f"{line} l.npy").out == run("softmax-cli xent z.npy --labels l.npy").out
    said = f"labels of shape (3, 2) for {values} of shape {shape} with the classes along axis"
    outcome = run(f"{line} turned.npy")
    assert outcome.code == 2
    assert f"turned.npy: {said} {axis % 3}; give labels of shape (2, 3), or" in outcome.err


def test_every_kind_of_array_is_compared() -> None:
    assert not run("softmax-cli jacobian z.npy -o J.npy").code
    assert not run("softmax-cli xent z.npy --labels l.npy --grad g.npy").code
    assert not run("softmax-cli jacobian z.npy --vjp v.npy -o u.npy").code
    right = {
        "xent z.npy --labels l.npy --sample-weights": "w.npy",
        "xent z.npy --targets": "v.npy",
        "xent --q v.npy --p": "v.npy",
        "jacobian z.npy --vjp": "v.npy",
        "jacobian z.npy --jvp": "v.npy",
        "gradcheck --logits z.npy --labels l.npy --grad": "g.npy",
        "gradcheck --logits z.npy --targets v.npy --grad": "g.npy",
        "gradcheck --of softmax --logits z.npy --grad u.npy --upstream": "v.npy",
        "gradcheck --of softmax --logits z.npy --upstream v.npy --grad": "u.npy",
        "gradcheck --of softmax --logits z.npy --jacobian": "J.npy",
    }
    for line, name in right.items():
        array = np.load(name)
        cells = array.shape[2:]
        as_it_is = run(f"softmax-cli {line} {name}")
        assert as_it_is.code == (1 if "--targets v.npy --grad" in line else 0), as_it_is.err
        np.save("o.npy", array.reshape(6, *cells))
        flat = run(f"softmax-cli {line} o.npy")
        assert flat.out.replace("o.npy", name).split() == as_it_is.out.split(), line
        np.save("o.npy", array.reshape(3, 2, *cells))
        outcome = run(f"softmax-cli {line} o.npy")
        assert (outcome.code, outcome.out) == (2, ""), line
        of = "v.npy" if "--q" in line else "z.npy"
        assert f" of shape {(3, 2, *cells)} for {of} of shape (2, 3, 4); give" in outcome.err
        assert f" of shape {(2, 3, *cells)}, or flat {(6, *cells)}\n" in outcome.err


def test_lines_of_jacobians_may_lie_flat() -> None:
    assert not run("softmax-cli jacobian z.npy -o J.npy").code
    np.save("J.npy", np.load("J.npy").reshape(24, 4))
    assert not run("softmax-cli gradcheck --of softmax --logits z.npy --jacobian J.npy").code


def test_jacobians_along_another_axis_are_read_as_they_are_written() -> None:
    assert not run("softmax-cli jacobian first.npy --axis 0 -o J.npy").code
    assert np.load("J.npy").shape == (2, 3, 4, 4)
    line = "softmax-cli gradcheck --of softmax --logits first.npy --axis 0 --jacobian J.npy"
    assert run(line).code == 0


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4)])
def test_one_vector_goes_with_everything(shape: tuple[int, ...]) -> None:
    np.save("one.npy", np.arange(4.0).reshape(shape))
    expected = run("softmax-cli jacobian flat.npy --vjp 0,1,2,3").out
    assert run("softmax-cli jacobian z.npy --vjp one.npy").out == expected


def test_text_has_no_shape() -> None:
    Path("labels.csv").write_text("".join(f"{label}\n" for label in LABELS.flat))
    Path("z.csv").write_text(
        "".join(",".join(map(repr, row)) + "\n" for row in Z.reshape(6, 4).tolist())
    )
    for line in ("z.npy --labels labels.csv", "z.csv --labels l.npy", "z.csv --labels turned.npy"):
        assert run(f"softmax-cli xent {line}").code == 0


@pytest.mark.parametrize("shape", [(4,), (1, 4), (4, 1)])
def test_class_weights_are_a_row_or_a_column(shape: tuple[int, ...]) -> None:
    np.save("c.npy", np.arange(1.0, 5).reshape(shape))
    expected = run("softmax-cli xent z.npy --labels l.npy --class-weights 1,2,3,4").out
    assert run("softmax-cli xent z.npy --labels l.npy --class-weights c.npy").out == expected


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 1), (1, 2, 2)])
def test_class_weights_in_a_square(shape: tuple[int, ...]) -> None:
    np.save("c.npy", np.arange(1.0, 5).reshape(shape))
    Path("c.csv").write_text("1,2\n3,4\n")
    for name, shown in (("c.npy", shape), ("c.csv", (2, 2))):
        outcome = run(f"softmax-cli xent z.npy --labels l.npy --class-weights {name}")
        said = f"--class-weights: 4 weights of shape {shown} for the 4 classes of z.npy"
        assert (outcome.code, outcome.out) == (2, "")
        assert f"{said}; give a number for each class, in a row or one a line\n" in outcome.err
