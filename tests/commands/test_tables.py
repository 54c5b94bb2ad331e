"""Tables as commands read them: no row is lost, no id becomes a class, no number is rounded."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from softmax_cli import cross_entropy
from tests.formats.conftest import folder
from tests.running import run

__all__ = ["folder"]

ROW_OF_NAN = "nan,nan\n0.2689414213699951,0.7310585786300049\n"


@pytest.mark.parametrize("first", ["NA,NA", "NULL,NULL", r"\\N,\\N", "#N/A,#N/A", ",", "nan,NA"])
def test_a_first_row_of_missing_values_is_a_row(first: str) -> None:
    outcome = run(rf"printf '{first}\n1,2\n' | softmax-cli softmax --on-bad-row nan")
    assert (outcome.code, outcome.out) == (0, ROW_OF_NAN)
    assert "1 row without a softmax set to NaN; the first: standard input:1:1" in outcome.err
    outcome = run(rf"printf '{first}\n1,2\n' | softmax-cli softmax")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("softmax-cli: standard input:1:1: is missing or NaN, so the row")


@pytest.mark.parametrize(
    "first", ["-nan(ind),-nan(ind)", '"1,234.5","2,000.5"', "50%,50%", "#VALUE!,#VALUE!"]
)
@pytest.mark.parametrize("command", ["softmax --on-bad-row nan", "xent --labels 0", "jacobian"])
def test_a_first_row_that_was_meant_as_numbers_is_no_header(first: str, command: str) -> None:
    Path("z.csv").write_text(f"{first}\n1,2\n")
    name, _, options = command.partition(" ")
    outcome = run(f"softmax-cli {name} z.csv {options}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("softmax-cli: z.csv:1:1: ")
    assert "is not a number" in outcome.err


def test_fortran_numbers_between_blanks() -> None:
    outcome = run(r"printf '0.100D+03 0.99D+02\n1 2\n' | softmax-cli softmax")
    assert outcome.err.startswith("softmax-cli: standard input:1:1: '0.100D+03' is not a number")


@pytest.mark.parametrize("first", ["1,2,3", "-1,1,7", "0,1,2", "0,1,10"])
def test_digits_above_logits_are_ambiguous(first: str) -> None:
    line = rf"printf '{first}\n0.1,0.2,0.3\n' | softmax-cli softmax"
    outcome = run(line)
    assert (outcome.code, outcome.out) == (2, "")
    assert all(word in outcome.err for word in ("standard input:1: ", "--header", "--no-header"))
    assert run(f"{line} --header").out.splitlines()[0] == first
    assert len(run(f"{line} --no-header").out.splitlines()) == 2


def test_counting_above_whole_numbers_is_a_row_with_a_warning() -> None:
    outcome = run(r"printf '0,1\n-3,7\n5,-2\n' | softmax-cli softmax")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 3
    assert "the first line reads 0 to 1 and was taken for a row; --header" in outcome.err


# Labels, weights and distributions have the same first lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NA\n1\n", "l.csv:1: the label is missing: 'NA'"),
        ("label\n\n1\n", "l.csv:2: the label is missing: ''"),
        ("label\n1\nNULL\n", "l.csv:3: the label is missing: 'NULL'"),
        (
            "0\n1.0\n0.0\n",
            "l.csv:1: the first line reads 0, like the name of a data frame's column",
        ),
        ("50%\n1\n0\n", "l.csv:1: the label '50%' is not a class"),
    ],
)
def test_labels_lose_no_first_line(text: str, message: str) -> None:
    Path("l.csv").write_text(text)
    outcome = run("softmax-cli xent 1,2 3,1 --labels l.csv")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_header_of_one_input() -> None:
    Path("z.csv").write_text("1,2\n3,1\n")
    Path("l.csv").write_text("0\n1\n0\n")
    Path("w.csv").write_text("1\n1\n2\n")
    line = "softmax-cli xent z.csv --labels l.csv"
    expected = cross_entropy([[1.0, 2.0], [3.0, 1.0]], [1, 0])
    assert "more rows" in run(line).err
    assert float(run(f"{line} --header-of labels=yes").out) == expected
    weighted = f"{line} --sample-weights w.csv --header --header-of values=no"
    weights = cross_entropy([[1.0, 2.0], [3.0, 1.0]], [1, 0], sample_weights=[1, 2])
    assert float(run(weighted).out) == weights
    np.save("z.npy", np.array([[1.0, 2.0], [3.0, 1.0]]))
    assert float(run("softmax-cli xent z.npy --labels l.csv --header").out) == expected
    outcome = run(f"{line} --header-of label=yes")
    assert (outcome.code, "INPUT one of values, labels" in outcome.err) == (2, True)


def test_distributions_may_begin_with_digits() -> None:
    Path("p.csv").write_text("1,0\n0.5,0.5\n")
    line = "softmax-cli xent --p p.csv --q 0.5,0.5 0.5,0.5"
    Path("q.csv").write_text("0.5,0.5\n0.5,0.5\n")
    line = "softmax-cli xent --p p.csv --q q.csv"
    assert float(run(line).out) == pytest.approx(np.log(2))
    Path("p.csv").write_text("0,1\n0.5,0.5\n")
    assert "--no-header" in run(line).err
    outcome = run(f"{line} --header-of p=no")
    assert float(outcome.out) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    "line",
    [
        "xent 1,2 3,1 --targets y.csv",
        "xent --p y.csv --q 0.5,0.5",
        "jacobian 1 2 --vjp y.csv",
        "jacobian 1 2 --jvp y.csv",
        "xent 1,2 --labels 0 --class-weights y.csv",
        "gradcheck --logits 1,2 --of softmax --upstream y.csv --grad g.csv",
        "gradcheck samples.logistic:loss --grad samples.logistic:gradient --at y.csv",
    ],
)
def test_a_missing_cell_of_another_input_is_named(line: str) -> None:
    Path("y.csv").write_text("a,b\n1,NA\n")
    Path("g.csv").write_text("0.5,-0.5\n")
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert "y.csv:2:2: is missing or NaN; every cell needs a number" in outcome.err


# Missing cells


def _write(frame: pl.DataFrame, name: str) -> None:
    suffix = Path(name).suffix
    if suffix == ".jsonl":
        frame.write_ndjson(name)
    elif suffix == ".parquet":
        frame.write_parquet(name)
    elif suffix == ".arrow":
        frame.write_ipc(name)
    elif suffix == ".json":
        Path(name).write_text(json.dumps([list(row) for row in frame.iter_rows()]))
    else:
        frame.write_csv(name, separator={".csv": ",", ".tsv": "\t"}[suffix])


@pytest.mark.parametrize(
    ("suffix", "cell"),
    [
        (".csv", "z.csv:3:1"),
        (".tsv", "z.tsv:3:1"),
        (".jsonl", "z.jsonl:2, column 'a'"),
        (".parquet", "z.parquet: row 1, column 'a'"),
        (".arrow", "z.arrow: row 1, column 'a'"),
        (".json", "z.json: row 1, class 0"),
    ],
)
def test_a_missing_cell_makes_a_row_without_a_softmax(suffix: str, cell: str) -> None:
    name = f"z{suffix}"
    _write(pl.DataFrame({"a": [1.0, None, 3.0], "b": [2.0, 5.0, 1.0]}), name)
    outcome = run(f"softmax-cli softmax {name}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"softmax-cli: {cell}: ")
    rows = run(f"softmax-cli softmax {name} --on-bad-row nan").out.splitlines()[-3:]
    assert rows[1] == "nan,nan"
    assert rows[0] == run("softmax-cli softmax 1 2").out.strip()
    assert len(run(f"softmax-cli softmax {name} --on-bad-row skip").out.splitlines()[-2:]) == 2
    loss = run(f"softmax-cli xent {name} --labels 0,0,0 --on-bad-row skip")
    assert float(loss.out) == cross_entropy([[1.0, 2.0], [3.0, 1.0]], [0, 0])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".arrow"])
def test_a_missing_label_is_named(suffix: str) -> None:
    frame = pl.DataFrame({"None": [1.0, 2.0], "b": [2.0, 1.0], "y": ["b", None]})
    name = f"z{suffix}"
    _write(frame, name)
    outcome = run(f"softmax-cli xent {name} --label-column y")
    assert (outcome.code, outcome.out) == (2, "")
    assert "the label is missing: ''" in outcome.err
    assert run(f"softmax-cli xent {name} --label-column y --ignore-label ''").code == 0


# Ids

CATBOOST = """SampleId,RawFormulaVal:Class=0,RawFormulaVal:Class=1,RawFormulaVal:Class=2,Label
0,0.5,1.5,-0.25,1
1,0.125,0.25,1,0
2,1.5,-1,0.25,2
"""
LOGITS = [[0.5, 1.5, -0.25], [0.125, 0.25, 1], [1.5, -1, 0.25]]


def test_an_id_is_no_class_of_numbered_labels() -> None:
    Path("z.csv").write_text(CATBOOST)
    line = "softmax-cli xent z.csv --label-column Label"
    outcome = run(line)
    assert (outcome.code, outcome.out) == (2, "")
    assert "the column 'SampleId' is taken for a class" in outcome.err
    assert "--id-columns SampleId" in outcome.err
    assert "--columns" in outcome.err
    expected = float(cross_entropy(LOGITS, [1, 0, 2]))
    for options in ("--id-columns SampleId", "--columns 2-4", "--columns 'Raw*'"):
        outcome = run(f"{line} {options}")
        assert (float(outcome.out), outcome.err) == (expected, "")


@pytest.mark.fast(7)
@pytest.mark.parametrize("name", ["row_id", "image_id", "uid", "weight", "fold", "imageId", "idx"])
@pytest.mark.parametrize("labels", ["--labels 1,0", "--labels l.npy", "--label-column y"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_whatever_it_is_called(name: str, labels: str, suffix: str) -> None:
    frame = pl.DataFrame({name: [7, 9], "a": [0.5, 1.5], "b": [1.0, 0.0], "y": [1, 0]})
    frame = frame if "y" in labels.split() else frame.drop("y")
    _write(frame, f"z{suffix}")
    np.save("l.npy", np.array([1, 0]))
    outcome = run(f"softmax-cli xent z{suffix} {labels}")
    assert (outcome.code, outcome.out) == (2, "")
    assert f"the column {name!r} is taken for a class" in outcome.err
    outcome = run(f"softmax-cli xent z{suffix} {labels} --id-columns {name}")
    assert float(outcome.out) == cross_entropy([[0.5, 1.0], [1.5, 0.0]], [1, 0])


def test_an_id_beside_labels_that_are_names_is_a_warning() -> None:
    Path("z.csv").write_text("id,cat,dog\n1,2,3\n2,3,2\n")
    outcome = run("softmax-cli xent z.csv --labels cat,dog")
    assert outcome.code == 0
    assert "the column 'id' is taken for a class and looks like none" in outcome.err


def test_an_index_without_a_name_is_found_by_its_numbers() -> None:
    rows = "".join(f"{row},0.5,1.5\n" for row in range(1, 7))
    Path("z.csv").write_text(rows)
    outcome = run("softmax-cli xent z.csv --labels 1,1,1,1,1,1")
    assert (outcome.code, "column 1 is taken for a class" in outcome.err) == (2, True)
    outcome = run("softmax-cli softmax z.csv")
    assert (outcome.code, "column 1 is taken for a class" in outcome.err) == (0, True)


def test_a_warning_names_every_column_once() -> None:
    Path("z.csv").write_text("row_id,a,b,fold,weight\n1,.5,.25,3,1\n2,.5,.75,3,1\n")
    for command in ("softmax", "jacobian", "gradcheck --of softmax"):
        name, *options = command.split()
        outcome = run(f"softmax-cli {name} z.csv {' '.join(options)}")
        assert outcome.code == 0
        assert outcome.err.count("'row_id', 'fold' and 'weight' are taken for classes") == 1


# Whole numbers that float64 would round


@pytest.mark.parametrize(
    "line",
    [
        "softmax-cli softmax 4611686018427387904 4611686018427387905",
        "softmax-cli softmax '[1,9007199254740993]'",
        r"printf '1,2\n4611686018427387904,4611686018427387905\n' | softmax-cli softmax",
        r"printf '[1,4611686018427387905]\n' | softmax-cli softmax",
        r"printf '[[1,2],[1,4611686018427387905]]' | softmax-cli softmax",
        "softmax-cli xent 1,2 --labels 0 --sample-weights 9007199254740993",
    ],
)
def test_a_whole_number_is_never_rounded(line: str) -> None:
    outcome = run(line)
    assert (outcome.code, outcome.out) == (2, "")
    assert re.search(r"float64 cannot hold \d{16,19} exactly; ", outcome.err)
    if "4611686018427387904" in line:
        even = line.replace("4611686018427387905", "4611686018427388928")
        assert run(even).out.splitlines()[-1] == "0.0,1.0"


# Comments


def test_leading_comments_are_counted() -> None:
    outcome = run(r"printf '# made by R\n# 2 classes\na,b\n1,2\n' | softmax-cli softmax")
    assert outcome.out == "a,b\n0.2689414213699951,0.7310585786300049\n"
    assert "standard input: ignored 2 lines that begin with #" in outcome.err


def test_a_column_of_a_table_is_not_told_to_take_axis_0() -> None:
    assert "--axis" not in run(r"printf 'a\n1\n2\n' | softmax-cli softmax").err
    assert "--axis 0" in run(r"printf '1\n2\n' | softmax-cli softmax").err
    assert run(r"printf '1\n2\n' | softmax-cli softmax --axis 0").code == 0


def test_a_blank_line_in_a_column_is_a_missing_value() -> None:
    outcome = run(r"printf 'a\n1\n\n2\n' | softmax-cli softmax --on-bad-row nan")
    assert outcome.out == "a\n1.0\nnan\n1.0\n"
    outcome = run(r"printf '1\n\n2\n' | softmax-cli softmax")
    assert "standard input:2:1: is missing or NaN" in outcome.err
