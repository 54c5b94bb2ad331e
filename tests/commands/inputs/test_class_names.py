"""Names of classes: given, shortened by a prefix, and written as a header."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from softmax_cli import cross_entropy
from tests.running import ROOT, run

ROWS = [[1.0, 2.0, 4.0], [0.5, 3.0, 1.0]]
NAMES = {
    "lines.txt": "cat\r\ndog, wild\r\nowl\r\n",
    "marked.txt": '\ufeffcat\n"dog, wild"\nowl',
    "line.csv": 'cat,"dog, wild",owl\n',
    "names.json": '["cat", "dog, wild", "owl"]',
    "labels.json": '{"0": "cat", "1": "dog, wild", "2": "owl"}',
    "two.json": '{"other": ["a", "b", "c"], "animals": ["cat", "dog, wild", "owl"]}',
    "config.json": '{"model_type": "vit", "id2label": {"2": "owl", "1": "dog, wild", "0": "cat"}}',
}


@pytest.fixture(autouse=True)
def _logits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", np.array(ROWS))
    Path("z.csv").write_text("1,2,4\n0.5,3,1\n")
    Path("named.csv").write_text(".pred_a,.pred_b\n1,2\n0,3\n")
    for name, text in NAMES.items():
        Path(name).write_bytes(text.encode())


@pytest.mark.parametrize("names", ['cat,"dog, wild",owl', '["cat","dog, wild","owl"]', *NAMES])
def test_names_are_typed_or_in_a_file(names: str) -> None:
    names = names.replace("two.json", "two.json[animals]")
    expected = ["cat", "dog, wild", "owl"]
    outcome = run(f"softmax-cli softmax z.npy --format json --class-names '{names}'")
    assert json.loads(outcome.out)["class_names"] == expected
    outcome = run(f"softmax-cli softmax z.npy --class-names '{names}'")
    assert outcome.out.startswith('cat,"dog, wild",owl\n')


@pytest.mark.parametrize("values", ["z.npy", "z.csv", "z.csv z.csv", "1,2,4 0.5,3,1"])
def test_names_are_those_of_labels_reports_and_columns(values: str) -> None:
    rows = np.array(ROWS * (1 + values.count(" z")))
    labels = ",".join(["owl", "cat"] * (len(rows) // 2))
    line = f"softmax-cli xent {values} --labels {labels} --class-names cat,dog,owl"
    report = json.loads(run(f"{line} --mask-class dog --per-class --format json").out)
    masked = np.delete(rows, 1, axis=1)
    expected = cross_entropy(masked, [1, 0] * (len(rows) // 2))
    assert report["loss"] == pytest.approx(expected, rel=1e-15)
    assert [each["class"] for each in report["per_class"]] == ["cat", "dog", "owl"]
    assert run(f"{line} --grad g.parquet").code == 0
    assert pl.read_parquet("g.parquet").columns == ["cat", "dog", "owl"]
    outcome = run(f"softmax-cli softmax {values} --class-names cat,dog,owl --top-k 1")
    assert outcome.out.splitlines()[0] == "class_1,probability_1"
    assert outcome.out.splitlines()[1].startswith("owl,0.84")


def test_the_names_of_the_digits_are_in_the_samples() -> None:
    samples = ROOT / "samples"
    Path("words.csv").write_text("zero\none\ntwo\n")
    names = f"--class-names {samples / 'digits_classes.txt'}"
    outcome = run(f"softmax-cli softmax {samples / 'digits_logits.npy'} {names} -o p.csv")
    assert outcome.code == 0
    assert pl.read_csv("p.csv").columns[:3] == ["zero", "one", "two"]


def test_numbers_that_pandas_writes_for_names_give_way() -> None:
    Path("numbered.csv").write_text("0,1,2\n1,2,4\n")
    outcome = run("softmax-cli softmax numbered.csv --header --class-names a,b,c")
    assert outcome.out.startswith("a,b,c\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("z.npy --class-names a,b", "2 names for the 3 classes of z.npy; give one name for each"),
        ("z.npy --class-names a", "--class-names: 1 name for the 3 classes of z.npy"),
        ("z.npy --class-names nowhere.txt", "--class-names: nowhere.txt: no such file"),
        ("z.npy --class-names a,b,a", "--class-names: 'a' names 2 classes; give each its own"),
        ("z.npy --class-names a,,b", "--class-names: name 2 is empty"),
        ("z.npy --class-names ''", "--class-names: holds no name"),
        ("z.npy --class-names '[1,2,3]'", "holds something that is not a class name; write"),
        ('z.npy --class-names \'{"a":"b"}\'', "holds something that is not a class name"),
        ("z.npy --class-names '[1,'", "--class-names: is not JSON"),
        ("z.npy --class-names z.npy", "z.npy: is not UTF-8 text; give one name for each class"),
        ("named.csv --class-names a,b", "named.csv already names its columns .pred_a, .pred_b"),
        ("z.npy --class-names lines.txt -o lines.txt", "lines.txt: is also an input"),
        ("named.csv --class-prefix pred", "no column of named.csv begins with 'pred'; the columns"),
        ("z.csv --class-prefix pred", "begins with 'pred'; its columns have no names"),
        ("named.csv --class-prefix .pred_a", "nothing is left of the column '.pred_a'"),
    ],
)
def test_names_that_cannot_be_used(line: str, said: str) -> None:
    if said.startswith("nothing"):
        Path("named.csv").write_text(".pred_a,.pred_ab\n1,2\n")
    outcome = run(f"softmax-cli softmax {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_a_prefix_is_cut_off_the_names_of_all_inputs() -> None:
    Path("y.csv").write_text("kind_b,kind_a\n0.25,0.75\n0,1\n")
    Path("w.csv").write_text("a,b\n2,3\n")
    line = "softmax-cli xent named.csv --targets y.csv --class-weights w.csv --class-prefix .pred_"
    outcome = run(f"{line} --class-prefix kind_")
    expected = cross_entropy([[1, 2], [0, 3]], [[0.75, 0.25], [1.0, 0.0]], class_weights=[2, 3])
    assert float(outcome.out) == pytest.approx(expected, rel=1e-15)
    outcome = run("softmax-cli softmax named.csv --class-prefix .pred_ --append")
    assert outcome.out.startswith(".pred_a,.pred_b,probability_a,probability_b\n")


def test_errors_name_the_prefix_that_differs() -> None:
    Path("y.csv").write_text("a,b\n0.25,0.75\n0,1\n")
    Path("w.csv").write_text("a,b\n1,2\n")
    remedy = "--class-prefix .pred_ strips the prefix\n"
    for option in ("--labels a,b", "--targets y.csv", "--labels 0,1 --class-weights w.csv"):
        outcome = run(f"softmax-cli xent named.csv {option}")
        assert outcome.code == 2
        assert outcome.err.endswith(remedy)
        assert run(f"softmax-cli xent named.csv {option} --class-prefix .pred_").code == 0


def test_a_column_without_the_prefix_is_no_class() -> None:
    Path("mixed.csv").write_text("size,.pred_a,.pred_b\n9,1,2\n")
    outcome = run("softmax-cli softmax mixed.csv --class-prefix .pred_")
    assert "the column 'size' of mixed.csv does not begin with '.pred_'; --columns" in outcome.err
    line = "softmax-cli softmax mixed.csv --class-prefix .pred_ --columns .pred_* --top-k 1"
    assert run(line).out.splitlines()[1].startswith("b,")


def test_words_that_name_no_class_name_the_option() -> None:
    outcome = run("softmax-cli xent z.npy --labels cat,dog")
    assert "class numbers from 0, unless --class-names names the classes" in outcome.err
    outcome = run("softmax-cli xent z.npy --labels 0,1 --mask-class cat")
    assert "classes are 0 to 2, unless --class-names names them" in outcome.err


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("softmax z.npy", "class_0,class_1,class_2"),
        ("softmax z.npy --top-k 2 --log", "class_1,log_probability_1,class_2,log_probability_2"),
        ("softmax z.csv --id-columns 2", "id_1,class_0,class_1"),
        ("softmax z.csv --append --columns 1,3", "id_1,id_2,id_3,probability_class_0"),
        ("softmax z.npy --class-names a,b,c", "a,b,c"),
        ("softmax z.csv --id-columns 2 --class-names a,c", "id_1,a,c"),
        ("softmax named.csv", ".pred_a,.pred_b"),
        ("softmax z.npy --axis 0", "column_0,column_1,column_2"),
        ("softmax z.npy --axis 0 --class-names a,b", "column_0,column_1,column_2"),
        ("jacobian 1 2", "class_0,class_1"),
        ("jacobian z.npy", "row,i,j,value"),
        ("jacobian z.npy --vjp 1,0,0", "class_0,class_1,class_2"),
        ("xent z.npy --labels 0,1 --reduction none", "loss"),
    ],
)
def test_a_header_is_written_if_it_is_asked_for(line: str, header: str) -> None:
    outcome = run(f"softmax-cli {line} --output-header")
    assert outcome.out.splitlines()[0].startswith(header)
    assert len(outcome.out.splitlines()) > 1


def test_a_header_that_was_asked_for_is_read_as_one() -> None:
    line = "softmax-cli xent z.npy --labels 0,1 --output-header"
    assert run(f"{line} --losses l.csv --grad g.csv").out.count("\n") == 1
    assert Path("l.csv").read_text().startswith("loss\n")
    assert Path("g.csv").read_text().startswith("class_0,class_1,class_2\n")
    assert json.loads(run("softmax-cli softmax g.csv --format json").out)["rows"] == 2


def test_other_formats_take_no_header() -> None:
    plain, asked = run("softmax-cli softmax z.npy --format jsonl"), "--output-header"
    assert run(f"softmax-cli softmax z.npy --format jsonl {asked}").out == plain.out


@pytest.mark.parametrize(
    "scheduler", ["", pytest.param("--scheduler local", marks=pytest.mark.slow)]
)
def test_many_files_share_the_names(scheduler: str) -> None:
    if scheduler:
        pytest.importorskip("distributed")
    line = f"softmax-cli softmax z.npy --format csv --output-dir out -q {scheduler}"
    assert run(f"{line} --class-names line.csv").code == 0
    assert Path("out/z.csv").read_text().startswith('cat,"dog, wild",owl\n')
    Path("line.csv").write_text("a,b,c\n")
    assert run(f"{line} --class-names line.csv").code == 0
    assert Path("out/z.csv").read_text().startswith("a,b,c\n")
    line = "softmax-cli xent z.npy --labels y.csv --output-dir losses -q --class-names line.csv"
    Path("y.csv").write_text("c\na\n")
    assert float(run(line).out) == pytest.approx(cross_entropy(ROWS, [2, 0]), rel=1e-15)
