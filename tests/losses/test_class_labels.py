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
