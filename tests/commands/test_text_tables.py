"""Text tables of spreadsheets and of R in every command: delimiters, decimal commas, row names."""

from __future__ import annotations

from pathlib import Path

import pytest

from softmax_cli import cross_entropy, softmax
from tests.formats.conftest import folder
from tests.running import run

__all__ = ["folder"]

LOGITS = [[1.5, 2.25, 3.0], [-0.5, 0.0, 4.0]]
EURO = "a;b;c\n1,5;2,25;3\n-,5;0;4,0\n"


@pytest.fixture(autouse=True)
def tables() -> None:
    Path("z.csv").write_text(EURO)
    Path("excel.csv").write_bytes(b"\xef\xbb\xbfsep=;\r\n" + EURO.replace("\n", "\r\n").encode())
    Path("plain.csv").write_text("a,b,c\n1.5,2.25,3\n-.5,0,4.0\n")
    Path("y.csv").write_text("sep=;\nlabel\n2\n0\n")
    Path("w.csv").write_text("weight\n1,5\n0,5\n")
    Path("t.csv").write_text("a;b;c\nFalse;False;True\nTrue;False;False\n")


@pytest.mark.parametrize(("name", "line"), [("z.csv", 2), ("excel.csv", 3)])
@pytest.mark.parametrize(
    "command",
    [
        "softmax NAME --log --format jsonl",
        "jacobian NAME --vjp V",
        "xent NAME --labels y.csv",
        "xent NAME --targets t.csv",
        "gradcheck NAME --of softmax --quiet",
    ],
)
def test_decimal_commas_in_every_command(command: str, name: str, line: int) -> None:
    plain = run(f"softmax-cli {command}".replace("NAME", "plain.csv").replace("V", "plain.csv"))
    command = f"softmax-cli {command}".replace("NAME", name).replace("V", "z.csv")
    outcome = run(f"{command} --decimal ,")
    told = outcome.out.replace(name, "plain.csv").partition("repeat: ")[0]
    assert (outcome.code, told) == (0, plain.out.partition("repeat: ")[0])
    refused = run(command)
    assert (refused.code, refused.out) == (2, "")
    words = f"{name}:{line}:1: '1,5' is not a number; write a decimal point, or --decimal ,"
    assert words in refused.err


def test_decimal_commas_of_standard_input() -> None:
    text = EURO.replace("\n", r"\n")
    outcome = run(f"printf '{text}' | softmax-cli softmax --decimal ,")
    assert (outcome.code, outcome.out) == (0, run("softmax-cli softmax plain.csv").out)


def test_weights_have_decimal_commas_too() -> None:
    outcome = run("softmax-cli xent z.csv --labels y.csv --sample-weights w.csv --decimal ,")
    first, second = cross_entropy(LOGITS, [2, 0], reduction="none")
    assert outcome.code == 0
    assert float(outcome.out) == pytest.approx((1.5 * first + 0.5 * second) / 2, rel=1e-14)
    Path("c.csv").write_text("0,5;1;1,5\n")
    outcome = run("softmax-cli xent z.csv --labels y.csv --class-weights c.csv --decimal ,")
    assert float(outcome.out) == pytest.approx((1.5 * first + 0.5 * second) / 2, rel=1e-14)
    Path("w.txt").write_text("1,5 0.5\n")
    refused = run("softmax-cli xent z.csv --labels y.csv --sample-weights w.txt --decimal ,")
    assert "w.txt:1: '0.5' has a decimal point" in refused.err


def test_files_of_several_delimiters_are_one_run() -> None:
    Path("tabs.csv").write_text(EURO.replace(";", "\t"))
    outcome = run("softmax-cli softmax z.csv tabs.csv --decimal ,")
    assert outcome.err == "softmax-cli: tabs.csv: cells are separated by a tab\n"
    rows = [[float(cell) for cell in line.split(",")] for line in outcome.out.splitlines()[1:]]
    assert rows == [*softmax(LOGITS).tolist()] * 2
    outcome = run("softmax-cli softmax z.csv tabs.csv --decimal , --output-dir out --format tsv")
    assert outcome.code == 0
    assert Path("out/tabs.tsv").read_text() == Path("out/z.tsv").read_text()


def test_row_names_of_r_pass_through() -> None:
    Path("r.txt").write_text('"a" "b"\n"Mazda RX4" 1 1\n"Datsun" 3 3\n')
    csv = ',a,b\n"Mazda RX4",0.5,0.5\n"Datsun",0.5,0.5\n'
    assert run("softmax-cli softmax r.txt").out == csv
    assert run("softmax-cli softmax r.txt --format txt").out == (
        '"" a b\n"Mazda RX4" 0.5 0.5\n"Datsun" 0.5 0.5\n'
    )
    outcome = run("softmax-cli xent r.txt --labels 0,1")
    assert float(outcome.out) == pytest.approx(0.6931471805599453)
    assert outcome.err == ""
