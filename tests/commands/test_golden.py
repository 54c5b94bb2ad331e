"""Golden cases: command line, standard output, standard error (`! `) and exit code (`[0]`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import ROOT, cases, run, same

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.txt"))
CASES = [
    pytest.param(line, expected, id=f"{path.stem}: {line}")
    for path in GOLDEN
    for line, expected in cases(path.read_text())
]


def _transcript(line: str) -> str:
    outcome = run(line)
    errors = "".join(f"! {error}\n" for error in outcome.err.splitlines())
    return f"{outcome.out}{errors}[{outcome.code}]"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_prints_what_it_printed(line: str, expected: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-golden"):
        pytest.skip("rewriting")
    got = _transcript(line)
    assert same(got, expected), f"{got}\n--- expected ---\n{expected}"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_rewriting_reaches_every_case(path: Path, request: pytest.FixtureRequest) -> None:
    lines = [line for line, _ in cases(path.read_text())]
    assert len(lines) == len(set(lines)) > 0
    if request.config.getoption("--rewrite-golden"):
        path.write_text("\n".join(f"$ {line}\n{_transcript(line)}\n" for line in lines))


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("0.5,0.25", "0.5,0.26"),
        ("0.5,0.25", "0.5,-0.25"),
        ("pass 1e-3", "fail 1e-3"),
        ("1 2", "1 2 3"),
        ("nan", "0.5"),
        ("[0]", "[2]"),
    ],
)
def test_the_comparison_can_fail(got: str, expected: str) -> None:
    assert same(got, got)
    assert not same(got, expected)
