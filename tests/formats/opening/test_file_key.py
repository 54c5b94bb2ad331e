"""`FILE[KEY]`: one array of an NPZ, safetensors or JSON file, wherever a file is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli import cross_entropy
from softmax_cli.formats.opening.file_key import matches, split_key
from softmax_cli.formats.opening.source import input_paths
from tests.commands.loss.reports import refused, report
from tests.formats.arrays.test_npz import npz
from tests.formats.rows import read, refusal, saved
from tests.running import run

Z, L = np.array([[1.0, 2, 4], [0.5, 3, 1]]), np.array([2, 0])
LOSS = pytest.approx(cross_entropy(Z, L), rel=1e-15)


@pytest.fixture(autouse=True)
def _files() -> None:
    others: dict[str, Any] = {"a[0]": Z + 1, "x/y.z w": Z + 2}
    for name in ("d.npz", "blob"):
        saved(name, npz(logits=Z, labels=L, **others))
    saved("d.json", json.dumps({"logits": Z.tolist(), "labels": L.tolist()}))
    np.save("d.npy", Z)
    saved("d.csv", "a,b,c\n1,2,4\n")


@pytest.mark.parametrize(
    ("token", "values"),
    [
        ("d.npz[logits]", Z),
        ("./d.npz[a[0]]", Z + 1),
        ("d.npz[x/y.z w]", Z + 2),
        ("blob[logits]", Z),
        ("d.json[logits]", Z),
    ],
)
def test_the_key_is_all_between_the_brackets(token: str, values: object) -> None:
    assert_array_equal(read(token).values, values)


def test_a_file_of_the_whole_name_wins_and_then_a_key_and_then_a_glob() -> None:
    saved("d.npz[logits]", npz(only=Z + 7))
    assert split_key("d.npz[logits]") == ("d.npz[logits]", None)
    assert split_key("d.npz[labels]") == ("d.npz", "labels")
    saved("d.npzl", "1 2\n")
    assert split_key("d.npz[l]") == ("d.npz", "l")
    saved("e-1", "1 2\n")
    saved("e-2", "3 4\n")
    assert matches("e-[12]") == ["e-1", "e-2"]
    # A file that holds no arrays is none whose array could be meant.
    saved("e-", "5 6\n")
    assert_array_equal(read("e-[12]").values, [[1, 2], [3, 4]])


def test_a_glob_of_files_and_a_key() -> None:
    for number in range(3):
        saved(f"part-{number}.npz", npz(logits=Z + number, labels=L))
    assert_array_equal(read("part-[12].npz[logits]").values, np.concatenate([Z + 1, Z + 2]))
    run("softmax-cli softmax 'part-*.npz[logits]' --output-dir out --quiet")
    assert sorted(path.name for path in Path("out").glob("*.npz")) == [
        f"part-{number}.npz" for number in range(3)
    ]
    run("softmax-cli xent 'part-*.npz[logits]' --labels 'part-*.npz[labels]' --output-dir losses")
    assert json.loads(Path("losses/part-0.json").read_text())["loss"] == LOSS


@pytest.mark.parametrize("file", ["d.npz", "blob", "d.json"])
def test_logits_and_labels_of_one_file(file: str) -> None:
    assert report(f"{file}[logits] --labels {file}[labels]")["loss"] == LOSS


def test_every_option_that_names_a_file_takes_a_key() -> None:
    P = np.full((2, 3), 1 / 3)
    saved("o.npz", npz(p=P, y=np.eye(3)[L], w=np.array([1.0, 1]), c=np.ones(3), v=np.ones(3)))
    assert report("d.npz[logits] --targets o.npz[y]")["loss"] == LOSS
    weights = "--sample-weights o.npz[w] --class-weights o.npz[c]"
    assert report(f"d.npz[logits] --labels d.npz[labels] {weights}")["loss"] == LOSS
    assert report("--p o.npz[p] --q o.npz[p]")["kl_divergence"] == 0
    done = run("softmax-cli jacobian 'd.npz[logits]' --vjp 'o.npz[v]' --format json")
    assert np.abs(json.loads(done.out)["vjp"]).max() < 1e-16
    run("softmax-cli xent d.npy --labels 2,0 --grad g.npy")
    saved("g.npz", npz(g=np.load("g.npy")))
    given = "--logits d.npz[logits] --labels d.npz[labels] --grad g.npz[g]"
    assert run(f"softmax-cli gradcheck {given}").code == 0


def test_the_array_that_looks_like_a_gradient_is_named() -> None:
    saved("g.npz", npz(grad=Z))
    done = run("softmax-cli gradcheck 'g.npz[grad]'")
    assert done.code == 2
    assert "its array 'grad' is named like a gradient" in done.err


@pytest.mark.parametrize(
    ("token", "line"),
    [
        ("d.npz[logit]", "d.npz: has no array 'logit'; did you mean 'logits'? It has a[0], "),
        ("d.json[x]", "d.json: has no array 'x'; it has labels, logits"),
        ("d.csv[a]", "d.csv[a]: csv has no named arrays; --columns a chooses a column"),
        ("d.npy[a]", "d.npy[a]: npy has no named arrays; name d.npy"),
    ],
)
def test_a_key_that_is_not_there(token: str, line: str) -> None:
    assert refusal(token).startswith(line)


def test_a_key_is_given_once() -> None:
    line = "--key: d.npz[logits] already names its array; leave it out, and write FILE[KEY]"
    assert refusal("d.npz[logits]", key="logits").startswith(line)
    for option in ("labels", "targets", "labels 2,0 --sample-weights"):
        refused(f"d.npz --key logits --{option} d.npz[labels]", "--key: d.npz[labels] already")


def test_typed_numbers_have_no_key() -> None:
    assert refusal("1", "2", key="x") == "--key: typed numbers have no name; leave it out"


def test_an_output_onto_the_file_is_an_output_onto_an_input() -> None:
    assert input_paths(["d.npz[logits]"]) == [Path("d.npz")]
    done = run("softmax-cli softmax 'd.npz[logits]' -o d.npz")
    assert done.code == 2
    assert "d.npz: is also an input" in done.err


@pytest.mark.parametrize(
    "line",
    [
        "softmax d.npz[logits] -o d.npz",
        "softmax d.npz --key logits -o d.npz",
        "jacobian 1 2 --vjp d.npz[labels] -o d.npz",
        "xent d.npz[logits] --labels 0,1 --grad d.npz",
        "xent 1,2 3,4 --labels d.npz[labels] --losses d.npz",
        "xent d.npz --key logits --labels 0,1 --reduction none -o ./d.npz",
    ],
)
def test_the_other_arrays_of_a_file_are_not_lost(line: str) -> None:
    before = Path("d.npz").read_bytes()
    done = run(f"softmax-cli {line} --in-place")
    assert done.code == 2
    problem = "d.npz: --in-place would lose the other arrays of the file; name another file"
    assert done.err.strip().removeprefix("softmax-cli: ").removeprefix("./") == problem
    assert Path("d.npz").read_bytes() == before


def test_a_key_of_one_file_leaves_another_in_place() -> None:
    np.save("y.npy", [0, 1])
    line = "xent d.npz --key logits --labels y.npy --losses y.npy --in-place"
    assert run(f"softmax-cli {line}").code == 0
