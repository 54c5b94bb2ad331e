"""No input is overwritten, no option is ignored, no verdict is given away."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from threading import Thread
from unittest import mock

import numpy as np
import pytest

from softmax_cli.storage import open_target
from softmax_cli.storage.output import Target
from tests.running import run

pytestmark = pytest.mark.fast(4)

ONE_LINE = re.compile(r"softmax-cli: [^\n]+\n")
MODULE = """
import sys
import numpy as np

def cube(x): return (x**3).sum()
def slope(x): return 3 * x**2
def leave(x): sys.exit(0)
def refuse(x): raise TypeError("no")
def nothing(x): return None
def imaginary(x): return 3 * x**2 + 1j
def single(x): return np.float32(np.log(np.exp(x.astype(np.float32)).sum()))
def single_slope(x): return np.exp(x) / np.exp(x).sum()
def swinging(x): return np.sin(1e4 * x).sum()
def swinging_slope(x): return 1e4 * np.cos(1e4 * x)
def chatty(x):
    print("chatter")
    return 3 * x**2
def vector(x): return np.array([x.sum(), (x**2).sum()])
def matrix(x): return np.array([np.ones_like(x), 2 * x])
"""

CHECKS = """
[[tool.softmax-cli.gradcheck]]
name = "cube"
function = "checked:cube"
grad = "checked:slope"
at = "p.csv"
"""


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.save("z.npy", rng.standard_normal((6, 3)))
    np.save("y.npy", np.array([0, 1, 2, 0, 1, 2]))
    np.save("several.npy", 1 - np.eye(3)[[0, 1, 2, 0, 1, 2]])
    np.save("cube.npy", rng.standard_normal((2, 3, 4)))
    np.save("g.npy", rng.standard_normal((6, 3)))
    np.savetxt("z.csv", rng.standard_normal((2, 3)), delimiter=",")
    Path("p.csv").write_text("0.5,0.5\n")
    Path("l.csv").write_text("0\n1\n")
    Path("named.csv").write_text("id,a,b\nx,1,2\n")
    Path("index.csv").write_text("Unnamed: 0,a,b\n0,1,2\n1,3,4\n")
    Path("labelled.csv").write_text("a,b,y\n1,2,0\n3,1,1\n")
    Path("checked.py").write_text(MODULE)
    Path("own.py").write_text(MODULE)
    Path("checks.toml").write_text(CHECKS)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("softmax z.csv -o z.csv", "z.csv"),
        ("softmax z.csv -o ./z.csv", "z.csv"),
        ("xent 1,2 3,4 --labels l.csv -o l.csv", "l.csv"),
        ("xent --p p.csv --q .5,.5 -o p.csv", "p.csv"),
        ("xent --p .5,.5 --q p.csv -o p.csv", "p.csv"),
        ("xent 1,2 --targets p.csv -o p.csv", "p.csv"),
        ("jacobian 1 2 --vjp p.csv -o p.csv", "p.csv"),
        ("gradcheck --logits z.npy --labels y.npy --grad g.npy -o g.npy --format json", "g.npy"),
        ("gradcheck --logits z.npy --labels y.npy --grad g.npy -o y.npy --format json", "y.npy"),
        ("gradcheck 'z.cs*' -o z.csv --format json", "z.csv"),
        ("softmax z.csv -o link.csv", "z.csv"),
        ("softmax link.csv -o z.csv", "z.csv"),
        ("softmax z.csv -o hard.csv", "hard.csv"),
        ("softmax z.csv 'z*.csv' -o z.csv", "z.csv"),
        ("jacobian 1 2 --jvp p.csv -o p.csv", "p.csv"),
        ("xent 1,2 3,4 --labels l.csv --losses l.csv", "l.csv"),
        ("xent z.csv --labels 0,1 --losses new.csv --grad z.csv", "z.csv"),
        ("xent z.csv --labels 0,1 --losses new.csv --grad link.csv", "z.csv"),
        ("xent z.csv --labels 0,1 --losses new.csv -o hard.csv", "hard.csv"),
        ("xent 1,2 --targets p.csv --losses p.csv", "p.csv"),
        ("xent --p .5,.5 --q p.csv --losses p.csv", "p.csv"),
        ("xent 1,2 3,4 --labels 0,1 --sample-weights l.csv --losses l.csv", "l.csv"),
        ("xent 1,2 3,4 --labels 0,1 --class-weights p.csv --losses p.csv", "p.csv"),
        ("gradcheck --config checks.toml --format json -o checks.toml", "checks.toml"),
        ("gradcheck --config checks.toml --format json -o p.csv", "p.csv"),
        ("gradcheck --config checks.toml --format json --report link.json", "p.csv"),
        ("gradcheck checked:cube --grad checked:slope --at p.csv -o p.csv --format json", "p.csv"),
        ("gradcheck own:cube --grad own:slope --at 1 -o own.py --format json", "own.py"),
        (
            "gradcheck --logits z.npy --of softmax --upstream g.npy --grad z.npy "
            "-o g.npy --format json",
            "g.npy",
        ),
        ("gradcheck --logits z.npy --labels y.npy --grad g.npy -o z.npy --format json", "z.npy"),
    ],
)
def test_no_input_is_overwritten(line: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("link.csv").symlink_to("z.csv")
    Path("hard.csv").hardlink_to("z.csv")
    Path("link.json").symlink_to("p.csv")
    opened = mock.Mock(side_effect=AssertionError("opened for writing"))
    monkeypatch.setattr(open_target, "open", opened, raising=False)
    monkeypatch.setattr(Target, "__init__", opened)
    before = Path(kept).read_bytes()
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert ONE_LINE.fullmatch(outcome.err)
    assert "is also an input" in outcome.err
    assert Path(kept).read_bytes() == before
    assert not opened.called


@pytest.mark.parametrize(
    "line",
    [
        "xent z.csv --labels 0,1 --losses x.csv --grad hard.csv",
        "xent z.csv --labels 0,1 --losses x.csv --grad link.csv",
        "xent z.csv --labels 0,1 --losses link.csv -o x.csv",
        "xent z.csv --labels 0,1 --losses new.csv -o ./new.csv",
        "gradcheck --report x.json --report hard.json",
        "gradcheck --report x.json --report link.json",
        "gradcheck --report new.json -o ./new.json",
    ],
)
def test_two_outputs_are_two_files(line: str) -> None:
    for suffix in ("csv", "json"):
        Path(f"x.{suffix}").touch()
        Path(f"hard.{suffix}").hardlink_to(f"x.{suffix}")
        Path(f"link.{suffix}").symlink_to(f"x.{suffix}")
    before = sorted(Path().iterdir())
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert re.search("names the same file as|is written twice", outcome.err)
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("form", ["table", "json", "junit", "github"])
def test_a_name_that_is_no_text_is_told_in_every_form(form: str) -> None:
    name = os.fsdecode(b"n\xff.npy")
    Path("g.npy").rename(name)
    line = f"softmax-cli gradcheck --logits z.npy --labels y.npy --grad {name} --format {form}"
    outcome = run(line)
    assert (outcome.code, outcome.err) == (1, "")
    assert "udcff" in outcome.out
    assert run(f"softmax-cli softmax {name} -o {name}").code == 2


def test_a_reader_that_goes_away_from_a_named_pipe_is_not_told_of() -> None:
    os.mkfifo("pipe")
    np.save("big.npy", np.zeros((50_000, 4)))

    def read_a_little() -> None:
        with Path("pipe").open("rb") as stream:
            stream.read(10)

    reader = Thread(target=read_a_little)
    reader.start()
    outcome = run("softmax-cli softmax big.npy -o pipe --format csv")
    reader.join()
    assert (outcome.code, outcome.out, outcome.err) == (141, "", "")


@pytest.mark.parametrize("place", ["/dev/full", "full"])
@pytest.mark.parametrize(
    "suffix", [".csv", ".csv.gz", ".csv.zst", ".json", ".npy", ".npz", ".parquet", ".arrow"]
)
def test_a_full_device_behind_a_link(suffix: str, place: str) -> None:
    Path("full").symlink_to("/dev/full")
    Path(f"x{suffix}").symlink_to(place)
    outcome = run(f"softmax-cli softmax z.npy -o x{suffix}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"softmax-cli: x{suffix}: cannot be written: No space left")
    assert ONE_LINE.fullmatch(outcome.err)


def test_in_place_replaces_it() -> None:
    assert run("softmax-cli softmax z.csv -o z.csv --in-place").code == 0
    assert np.loadtxt("z.csv", delimiter=",").sum(axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("softmax 1 2 --columns 1", "--columns"),
        ("softmax 1 2 --id-columns 1", "--id-columns"),
        ("softmax 1 2 --append", "--append"),
        ("softmax 1 2 --input-format csv", "--input-format"),
        ("softmax 1 2 --axis 5", "no axis 5"),
        ("softmax 1 2 --in-place", "--in-place"),
        ("softmax 1 2 -o ''", "--output"),
        ("softmax z.npy --key a", "--key"),
        ("softmax z.npy --header", "--header"),
        ("softmax named.csv --id-columns id --axis 0", "--axis"),
        ("softmax z.csv --axis 0 --on-bad-row skip", "--on-bad-row"),
        ("softmax ''", "neither a number nor a file"),
        ("softmax -1e5x 1", "-1e5x"),
        ("softmax 1 2 --log=3", "--log: does not take a value"),
        ("xent 1 2 --label-column y", "--label-column"),
        ("xent z.npy --labels several.npy", "is not one-hot"),
        ("xent --p nan,1 --q .5,.5", "--p: row 0"),
        ("xent 1 2 --targets nan,1", "--targets: row 0"),
        ("softmax named.csv --id-columns id --append -o a.npy", "--append keeps"),
        ("softmax index.csv", "the index of a data frame"),
        ("gradcheck --rtol inf", "rtol is inf"),
        ("gradcheck --atol -1", "atol is -1"),
        ("gradcheck --step 0", "step must be positive"),
        ("gradcheck --step 1e-300 --method central", "changes nothing"),
        ("gradcheck --logits z.npy --labels y.npy --grad g.npy --rtol inf", "rtol is inf"),
        ("gradcheck --logits z.npy --labels y.npy --grad g.npy --points 3", "--points"),
        ("gradcheck 1 nan", "arguments: row 0"),
        ("gradcheck -o report.csv", "report.csv"),
        ("gradcheck checked:cube --grad checked:leave --at 1,2", "SystemExit"),
        ("gradcheck checked:cube --grad checked:refuse --at 1,2", "TypeError: no; checked.py:"),
        ("gradcheck checked:cube --grad checked:nothing --at 1,2", "returned nothing"),
        ("gradcheck checked:cube --grad checked:imaginary --at 1,2", "must return real numbers"),
        ("gradcheck checked:cube --grad checked:gone --at 1,2", "has no 'gone'"),
        ("gradcheck absent:f --grad checked:cube --at 1,2", "no module 'absent'"),
    ],
)
def test_what_does_not_fit_is_refused(line: str, word: str) -> None:
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert ONE_LINE.fullmatch(outcome.err)
    assert word in outcome.err


@pytest.mark.parametrize("method", ["central", "richardson"])
@pytest.mark.parametrize(("function", "at"), [("single", "-0.2,0.5,0.2,0.4"), ("swinging", "1.37")])
def test_a_right_gradient_never_fails(function: str, at: str, method: str) -> None:
    line = f"checked:{function} --grad checked:{function}_slope --at={at} --method {method}"
    assert run(f"softmax-cli gradcheck {line}").code in (0, 3)


def test_a_label_is_no_class_whatever_pattern_it_fits() -> None:
    line = "softmax-cli xent labelled.csv --label-column y"
    assert run(f"{line} --columns '*'").out == run(line).out


def test_zero_stands_for_bad_rows_alone() -> None:
    line = "softmax-cli jacobian 1,2 3,4 --jvp nan,1 --on-bad-row zero"
    assert run(line).out == "nan,nan\nnan,nan\n"


def test_what_a_function_prints_is_no_output() -> None:
    outcome = run("softmax-cli gradcheck checked:cube --grad checked:chatty --at 1,2 --format json")
    assert (outcome.code, json.loads(outcome.out)["verdict"]) == (0, "pass")
    assert "chatter" in outcome.err


def test_a_jacobian_need_not_be_square() -> None:
    assert run("softmax-cli gradcheck checked:vector --grad checked:matrix --at 1,2,3").code == 0


@pytest.mark.parametrize("form", ["npy", "csv", "json"])
@pytest.mark.parametrize("rows", ["z.npy", "'[1,2,3,4]' '[4,3,2,2]'", "1 2 3"])
def test_its_own_jacobian_reads_back(form: str, rows: str) -> None:
    if rows != "z.npy":
        assert (
            run(f"softmax-cli softmax {rows} --log -o z.npy --precision 17 --format json").code == 0
        )
        Path("z.npy").rename("z.json")
        text = json.loads(Path("z.json").read_text())["log_probabilities"]
        np.save("z.npy", np.array(text))
    assert run(f"softmax-cli jacobian z.npy -o J.{form}").code == 0
    line = f"softmax-cli gradcheck --logits z.npy --jacobian J.{form} --of softmax"
    assert run(line).code == 0


def test_zero_stands_for_a_bad_row_in_the_loss_too() -> None:
    line = "softmax-cli xent nan,1 1,2 --labels 0,1 --on-bad-row zero --format json"
    report = json.loads(run(line).out)
    assert report["loss"] == pytest.approx(np.log1p(np.exp(-1)) / 2)
    assert report["accuracy"] == 0.5


def test_a_product_along_another_axis_lies_as_its_input() -> None:
    assert run("softmax-cli jacobian cube.npy --axis 0 --vjp 1,2 -o v.npy").code == 0
    assert np.load("v.npy").shape == (2, 3, 4)


def test_several_files_and_standard_input() -> None:
    outcome = run("printf '1,2,3\\n' | softmax-cli softmax z.csv - z.csv")
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 5)


@pytest.mark.parametrize(("reduction", "shape"), [("none", (2,)), ("mean", ()), ("sum", ())])
def test_losses_are_an_array_of_losses(reduction: str, shape: tuple[int, ...]) -> None:
    line = f"softmax-cli xent 1,2 2,1 --labels 0,0 --reduction {reduction} -o x.npy"
    assert run(line).code == 0
    assert np.load("x.npy").shape == shape


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("xent z.csv --labels 0,-1 --ignore-label -1", "1 of 2 rows ignored"),
        ("xent z.csv --targets '[[2,2,1],[1,0,0]]' --normalize", "1 distribution divided by the"),
        ("xent z.csv nan.csv --labels 0,1,2 --on-bad-row skip", "1 row without a softmax skipped"),
        ("softmax z.csv nan.csv --on-bad-row nan", "1 row without a softmax set to NaN"),
        ("jacobian nan.csv z.csv --on-bad-row zero", "1 row without a softmax set to 0"),
    ],
)
def test_what_is_skipped_or_replaced_is_counted(line: str, said: str) -> None:
    Path("nan.csv").write_text("nan,1,2\n")
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 0
    assert said in outcome.err
    assert ONE_LINE.fullmatch(outcome.err)
    assert run(f"softmax-cli {line} --quiet").err == ""
