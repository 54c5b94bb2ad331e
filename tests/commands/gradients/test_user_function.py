"""Functions of the user: what they may do, and how their errors are shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT, run

FUNCTIONS = """
import os
import numpy as np

class Odd(Exception):
    def __str__(self): raise RuntimeError("no text")

def cube(x): return (x**3).sum()
def squares(x): return 3 * x**2
def deeper(x): return np.linalg.inv(np.zeros((2, 2)))
def deep(x): return deeper(x)
def base(x): raise BaseException("not an Exception")
def odd(x): raise Odd
def empty(x): raise MemoryError
def moves(x): os.chdir("/"); return cube(x)
def ragged(x): return [[1, 2], [3]]
def pair(x): return cube(x), squares(x)
def imaginary(x): return 1 + 2j
def masked(x): return np.ma.masked_array(squares(x), mask=True)
def grows(x): grows.count += 1; return np.ones(grows.count)
grows.count = 1
def tiny(x): return 1e-320 * x.sum()
def tiny_ones(x): return 1e-320 * np.ones_like(x)
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("theirs.py").write_text(FUNCTIONS)
    Path("broken.py").write_text("x = (\n")
    Path("typo.py").write_text("import numpy as np\nnp.no_such_thing\ndef f(x): return x\n")
    yield
    for name in ("theirs", "broken", "typo"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ("theirs:deep --grad theirs:squares",
         "theirs:deep: raised numpy.linalg.LinAlgError: Singular matrix; "
         "theirs.py:11 in deep > theirs.py:10 in deeper > "),
        ("theirs:base --grad theirs:squares", "raised BaseException: not an Exception; theirs.py"),
        ("theirs:odd --grad theirs:squares", "raised theirs.Odd"),
        ("theirs:empty --grad theirs:squares", "raised MemoryError; theirs.py:14 in empty"),
        ("theirs:ragged --grad theirs:squares", "theirs:ragged did not return an array"),
        ("theirs:cube --grad theirs:ragged", "gradient of theirs:cube did not return an array"),
        ("theirs:pair --grad theirs:squares", "(value, gradient), give no other gradient"),
        ("theirs:imaginary --grad theirs:squares", "it must return real numbers"),
        ("theirs:grows --grad theirs:squares", "shape"),
        ("broken:f --grad theirs:squares", "SyntaxError: '(' was never closed; broken.py:1"),
        ("typo:f --grad theirs:squares", "raised AttributeError: module 'numpy' has no attribute"),
        ("theirs.py:cube --grad theirs:squares", "no module 'theirs.py'; write theirs:cube"),
        ("theirs:cube.x --grad theirs:squares", "theirs:cube.x: is not module:function"),
    ],
)  # fmt: skip
def test_errors_of_the_function_are_one_line(functions: str, message: str) -> None:
    outcome = run(f"softmax-cli gradcheck {functions} --at 1,2")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_function_cannot_change_the_working_directory() -> None:
    here = Path.cwd()
    outcome = run(
        "softmax-cli gradcheck theirs:moves --grad theirs:squares --at 1,2 --report r.json"
    )
    assert outcome.code == 0
    assert Path.cwd() == here
    assert Path("r.json").exists()


def test_masked_entries_are_wrong() -> None:
    assert run("softmax-cli gradcheck theirs:cube --grad theirs:masked --at 1,2").code == 1


def test_subnormal_derivatives_prove_nothing() -> None:
    assert run("softmax-cli gradcheck theirs:tiny --grad theirs:tiny_ones --at 1,2").code == 3


def test_pythonpath_comes_before_the_working_directory() -> None:
    Path("first").mkdir()
    Path("first/theirs.py").write_text(FUNCTIONS.replace("3 * x**2", "2 * x**2"))
    line = [sys.executable, "-P", "-m", "softmax_cli", "gradcheck", "theirs:cube"]
    line += ["--grad", "theirs:squares", "--at", "1,2"]
    path = f"first{os.pathsep}{ROOT}"
    done = subprocess.run(line, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == 1, done.stderr
    done = subprocess.run(line, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_gradient_and_jacobian_exclude_each_other() -> None:
    outcome = run("softmax-cli gradcheck --logits 1,2 --of softmax --grad 1,2 --jacobian 1,2")
    assert (outcome.code, "give one of --grad and --jacobian" in outcome.err) == (2, True)


def test_no_report_appears_if_one_cannot_be_written() -> None:
    outcome = run("softmax-cli gradcheck --of xent --report one.json --report nowhere/two.xml")
    assert (outcome.code, outcome.out) == (2, "")
    assert not Path("one.json").exists()


def test_every_row_ignored_is_an_error() -> None:
    line = "softmax-cli gradcheck --logits 1,2 --labels -1 --ignore-label -1 --grad 0,0"
    outcome = run(line)
    assert (outcome.code, "every row is ignored" in outcome.err) == (2, True)
