"""Labels as names and numbers of classes, and labels that are ignored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy
from tests.commands.loss.reports import LABELS, refused, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(folder: Path) -> None:
    assert folder.is_dir()
    save_inputs()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "2\n0\n"),
        ("l.csv", "2.0\n0\n"),
        ("l.txt", "2 0"),
        ("l.json", "[2, 0]"),
        ("l.json", "[2.0, 0]"),
        ("l.npy", ""),
    ],
)
def test_names_that_are_numbers_are_names_wherever_labels_come_from(name: str, text: str) -> None:
    Path("z.csv").write_text("2,0,1\n1.5,2,3\n3,2,1.5\n")
    if text:
        Path(name).write_text(text)
    else:
        np.save(name, np.array([2, 0]))
    line = "softmax-cli xent z.csv --header --header-of labels=no --reduction none --labels"
    expected = cross_entropy([[1.5, 2.0, 3.0], [3.0, 2.0, 1.5]], [0, 1], reduction="none")
    for labels in (name, "2,0"):
        printed = run(f"{line} {labels}").out.split()
        assert_allclose(np.array(printed, float), expected, rtol=1e-15)
        ignoring = run(f"{line} {labels} --ignore-label 2").out.split()
        assert_allclose(np.array(ignoring, float), [0, expected[1]], rtol=1e-15)


def test_a_number_that_is_no_name_among_numbers_is_no_class() -> None:
    Path("z.csv").write_text("7,8,9\n1.5,2,3\n")
    np.save("l.npy", np.array([0]))
    for labels in ("0", "l.npy"):
        refused(f"z.csv --header --labels {labels}", "the label")
    assert run("softmax-cli xent z.csv --header --labels l.npy --ignore-label 0").code == 2
    assert (
        "every row is ignored"
        in run("softmax-cli xent z.csv --header --labels l.npy --ignore-label 0").err
    )


def test_a_name_that_is_a_number_among_words_is_found_by_its_value() -> None:
    Path("z.csv").write_text("dog,1,0\n1,2,3\n3,2,1\n0,5,0\n")
    np.save("l.npy", np.array([0, 1, -100]))
    Path("l.csv").write_text("0.0\n1\n-100\n")
    expected = cross_entropy([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [2, 1], reduction="none")
    line = "softmax-cli xent z.csv --header-of values=yes --reduction none --ignore-label -100"
    for labels in ("0,1,-100", "l.npy", "l.csv"):
        printed = run(f"{line} --labels {labels}").out.split()
        assert_allclose(np.array(printed, float), [*expected, 0], rtol=1e-15)
        for ignored in ("0", "0.0"):
            printed = run(f"{line} --labels {labels} --ignore-label {ignored}").out.split()
            assert_allclose(np.array(printed, float), [0, expected[1], 0], rtol=1e-15)
    printed = run(f"{line} --labels dog,1,-100 --ignore-label 0.0").out.split()
    assert float(printed[0]) == pytest.approx(cross_entropy([1.0, 2.0, 3.0], 0))


def test_a_label_that_is_nan_can_be_ignored_by_name_alone() -> None:
    np.save("l.npy", np.array([0, np.nan]))
    line = "1,2 3,1 --labels l.npy --ignore-label"
    assert run(f"softmax-cli xent {line} nan").code == 0
    refused(f"{line} 1", "l.npy: row 1: the label is missing: 'nan'")


def test_nan_in_labels_is_never_taken_for_ignored() -> None:
    np.save("l.npy", np.where(np.arange(60) == 5, np.nan, LABELS))
    outcome = run("softmax-cli xent z.npy --labels l.npy --ignore-label -100")
    assert outcome.code == 2
    assert "l.npy: row 5: the label is missing: 'nan'" in outcome.err


@pytest.mark.parametrize("spelling", ["nan", "NaN"])
def test_nan_is_ignored_however_it_is_spelt(spelling: str) -> None:
    Path("l.csv").write_text("1\nNaN\n")
    Path("l.json").write_text('[1, "nan"]')
    for labels in ("l.csv", "l.json", "1,nan"):
        line = f"softmax-cli xent 1,2 3,1 --labels {labels} --ignore-label {spelling}"
        assert run(line).out == run("softmax-cli xent 1,2 --labels 1").out


def test_labels_that_are_ignored_may_be_words_and_anything_may_stand_beside_them() -> None:
    Path("z.csv").write_text("cat,dog,y\n1,2,cat\nnan,inf,unknown\n2,1,dog\n3,3,\n")
    found = report("z.csv --label-column y --ignore-label unknown --ignore-label '' --worst 4")
    assert (found["rows"], found["used"], found["ignored"]) == (4, 2, 2)
    assert found["loss"] == pytest.approx(cross_entropy([[1.0, 2.0], [2.0, 1.0]], [0, 1]))
    assert [each["row"] for each in found["worst"]] == [0, 2]
    Path("l.txt").write_text("cat unknown unknown dog")
    found = report("z.csv --id-columns y --labels l.txt --ignore-label unknown --ignore-label 1")
    assert (found["used"], found["loss"]) == (1, pytest.approx(cross_entropy([1.0, 2.0], 0)))


@pytest.mark.parametrize("name", ["l.csv", "l.txt", "l.json", "l.npy", "1,2,3,-1"])
def test_labels_that_count_from_1(name: str) -> None:
    labels = [1, 2, 3, -1]
    if name == "l.npy":
        np.save(name, np.array(labels))
    elif name == "l.json":
        Path(name).write_text(str(labels))
    elif name.startswith("l."):
        Path(name).write_text("".join(f"{label}\n" for label in labels))
    rows = "1,2,3 3,2,1 0,1,5 1,1,1"
    found = report(f"{rows} --labels {name} --label-base 1 --ignore-label -1 --worst 3 --per-class")
    from_0 = report(f"{rows} --labels 0,1,2,-1 --ignore-label -1 --worst 3 --per-class")
    assert (found["loss"], found["ignored"]) == (from_0["loss"], 1)
    assert [each["class"] for each in found["per_class"]] == [1, 2, 3]
    for each, other in zip(found["worst"], from_0["worst"], strict=True):
        assert (each["label"], each["predicted"]) == (other["label"] + 1, other["predicted"] + 1)


def test_a_label_that_is_ignored_is_written_as_it_is_in_the_file() -> None:
    line = "1,2,3 3,2,1 --label-base 1 --ignore-label 1"
    one = report("3,2,1 --labels 1")["loss"]
    assert report(f"{line} --labels 1,2")["loss"] == one
    np.save("l.npy", np.array([1, 2]))
    assert report(f"{line} --labels l.npy")["loss"] == one
    assert report(f"{line} --targets [[1,0,0],[0,1,0]]")["loss"] == one


def test_masked_classes_and_explanations_count_as_labels_do() -> None:
    line = "1,2,3 --label-base 1 --labels 2 --mask-class 3"
    expected = pytest.approx(cross_entropy([1.0, 2.0], 1))
    assert report(line)["loss"] == expected
    explained = report(f"{line} --explain")["steps"]
    assert next(step["classes"] for step in explained if "classes" in step) == [1, 2, 3]
    assert [step["label"] for step in explained if "label" in step] == [2]
    assert "the term of 2 is left" in run(f"softmax-cli xent {line} --explain").out
    refused(f"{line} --mask-class 0", "--mask-class: there is no class '0'; classes are 1 to 3")
    refused("1,2 --label-base 1 --labels x", "labels are class numbers from 1")
    refused("1,2 --label-base 1 --labels 1 --class-weights 1,-2", "the weight of class 2 is -2")


def test_names_of_classes_do_not_count() -> None:
    Path("z.csv").write_text("cat,dog\n1,2\n3,1\n")
    assert (
        run("softmax-cli xent z.csv --labels dog,cat").out
        == run("softmax-cli xent z.csv --labels dog,1 --label-base 1").out
    )
    Path("z.csv").write_text("0,1\n1.5,2\n3,1\n")
    line = "z.csv --header --labels 1,2 --label-base 1"
    refused(line, "--label-base: the classes are named 0 to 1, so labels are names")


def test_a_gradient_of_labels_that_count_from_1() -> None:
    np.save("g.npy", (np.exp([[1, 2.0]]) / np.exp([1, 2.0]).sum()) - [[0, 1]])
    line = "softmax-cli gradcheck --logits [[1,2]] --grad g.npy --labels"
    assert run(f"{line} 2 --label-base 1").code == 0
    assert run(f"{line} 1 --label-base 1").code == 1


@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("far", [100, 1e7])
def test_labels_of_arrays_are_found_whatever_their_dtype(dtype: str, far: float) -> None:
    ignored = 99 if dtype in ("i1", "u1") else int(far)
    np.save("l.npy", np.array([1, 3, ignored, 2, 1], dtype))
    np.save("z.npy", np.arange(15.0).reshape(5, 3) ** 0.5)
    used = np.array([0, 1, 3, 4])
    expected = cross_entropy(np.load("z.npy")[used], [0, 2, 1, 0])
    line = f"z.npy --labels l.npy --label-base 1 --ignore-label {ignored}"
    assert report(line)["loss"] == pytest.approx(expected, rel=1e-14)
    assert report(line)["used"] == 4
    refused("z.npy --labels l.npy --label-base 1", f"label {ignored} is out of range (1 to 3)")


def test_labels_of_an_array_that_are_not_whole_are_no_classes() -> None:
    np.save("z.npy", np.ones((3, 2)))
    for number, shown in ((0.5, "'0.5'"), (np.inf, "'inf'")):
        np.save("l.npy", np.array([0, number, 1]))
        refused("z.npy --labels l.npy", f"l.npy: row 1: the label {shown} is not a class")
