"""gradcheck from the command line: gradient files, functions, verdicts and exit codes."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.core.gradcheck import gradcheck as core
from softmax_cli.core.gradcheck.builtins import BUILTINS
from softmax_cli.core.gradcheck.gradcheck import gradcheck
from softmax_cli.errors import ExitCode
from tests.running import Outcome, run

pytestmark = pytest.mark.fast(4)

Array = NDArray[Any]

REPORT_KEYS = {"command", "verdict", "subject", "seed", "checks"}
CHECK_KEYS = {
    "name", "verdict", "method", "step", "dtype", "rtol", "atol", "entries", "over_tolerance",
    "non_finite", "max_abs_error", "max_rel_error", "worst", "diagnosis", "reproduce", "points",
    "vacuous", "subject", "about", "file", "line", "seed",
}  # fmt: skip
ENTRY_KEYS = {"index", "analytic", "reference", "abs_error", "rel_error", "allowed"}

ROWS, N = 6, 4
_RNG = np.random.default_rng(2016)
Z = 2 * _RNG.standard_normal((ROWS, N))
L = np.array([2, 0, 3, 1, 1, 2])
ONE_HOT = np.eye(N)[L]
Y = _RNG.dirichlet(np.ones(N), ROWS)
V = _RNG.standard_normal((ROWS, N))

FUNCTIONS = """
import numpy as np

def energy(x): return (x**2).sum()
def gradient(x): return 2 * x
def flipped(x): return -2 * x
def doubled(x): return 4 * x
def both(x): return energy(x), gradient(x)
def both_wrong(x): return energy(x), x
def squares(x): return x**2
def diagonal(x): return np.diag(2 * x)
def dense(x): return np.full((x.size, x.size), 2 * x)
def transposed(x): return np.array([[1.0, 3.0], [2.0, 4.0]])
def linear(x): return np.array([[1.0, 2.0], [3.0, 4.0]]) @ x
def constant(x): return 5 + 0 * x.sum()
def modulus(x): return np.abs(x).sum()
def raises(x): raise ValueError("not today")
number = 3
"""


def _softmax(a: Array, T: float = 1.0) -> Array:
    exponentials = np.exp((a - a.max(axis=-1, keepdims=True)) / T)
    S: Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return S


def _gradient(targets: Array, T: float = 1.0, divisor: float = ROWS) -> Array:
    G: Array = (_softmax(Z, T) * targets.sum(axis=-1, keepdims=True) - targets) / (T * divisor)
    return G


def _jacobian(T: float = 1.0) -> Array:
    S = _softmax(Z, T)
    J: Array = (S[:, :, None] * np.eye(N) - S[:, :, None] * S[:, None, :]) / T
    return J


def _log_jacobian(T: float = 1.0) -> Array:
    J: Array = (np.eye(N) - _softmax(Z, T)[:, None, :]) / T
    return J


def _write(path: str, array: Array) -> str:
    """Write an array in the format of the suffix; return the path."""
    if path.endswith(".npy"):
        np.save(path, array)
    elif path.endswith(".npz"):
        np.savez(path, gradient=array)
    elif path.endswith(".json"):
        Path(path).write_text(json.dumps(array.tolist()))
    else:
        delimiter = {".tsv": "\t", ".txt": " "}.get(Path(path).suffix, ",")
        np.savetxt(path, array, delimiter=delimiter, fmt="%.17g")
    return path


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, array in {"Z": Z, "L": L, "Y": Y, "V": V, "G": _gradient(ONE_HOT)}.items():
        _write(f"{name}.npy", array)
    _write("wrong.npy", 2 * _gradient(ONE_HOT))
    Path("functions.py").write_text(FUNCTIONS)
    yield
    sys.modules.pop("functions", None)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not strict JSON")


def _strict(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _report(line: str) -> tuple[int, Any]:
    """Run the command; return its exit code and the report that it prints as JSON."""
    outcome = run(f"softmax-cli gradcheck {line} --format json")
    assert outcome.err == ""
    return outcome.code, _strict(outcome.out)


def _check(line: str) -> tuple[int, Any]:
    """Run the command; return its exit code and its only check."""
    code, report = _report(line)
    (check,) = report["checks"]
    return code, check


def _error(outcome: Outcome) -> str:
    """Return the one line that tells an error."""
    assert (outcome.code, outcome.out) == (ExitCode.ERROR, "")
    line = re.fullmatch(r"softmax-cli: ([^\n]+)\n", outcome.err)
    assert line is not None, outcome.err
    return line[1]


# Exit codes

VERDICTS = {
    "": (0, "pass"),
    "1 2 3": (0, "pass"),
    "1 2 3 --of softmax --method richardson": (0, "pass"),
    "-1,-2.5,-inf 3,.5,1e-3": (0, "pass"),
    "Z.npy --dtype float32": (0, "pass"),
    "--logits Z.npy --labels L.npy --grad G.npy": (0, "pass"),
    "functions:energy --grad functions:gradient --at 1,2,3": (0, "pass"),
    "functions:energy --grad functions:gradient --at Z.npy": (0, "pass"),
    "functions:energy --grad functions:gradient --at -1,2 --method complex": (0, "pass"),
    "functions:both --at 1,2": (0, "pass"),
    "functions:squares --grad functions:diagonal --at 1,2": (0, "pass"),
    "numpy:sum --grad numpy:ones_like --at 1,2,3": (0, "pass"),
    "--logits Z.npy --labels L.npy --grad wrong.npy": (1, "fail"),
    "functions:energy --grad functions:flipped --at 1,2,3": (1, "fail"),
    "functions:both_wrong --at 1,2": (1, "fail"),
    "functions:squares --grad functions:dense --at 1,2": (1, "fail"),
    "functions:energy --grad functions:gradient --at nan,1": (1, "fail"),
    "100 0 --of softmax": (3, "vacuous"),
    "1,2,3 100,0,0 --of log-softmax": (0, "pass"),
    "5": (3, "vacuous"),
    "empty.npy": (3, "vacuous"),
    "--logits 100,0 --labels 0 --grad 0,0": (3, "vacuous"),
    "functions:constant --grad numpy:zeros_like --at 1,2 --method complex": (3, "vacuous"),
    "1 2 3 --of softmax --method central --step 0.01": (3, "inconclusive"),
    "numpy:exp --grad numpy:exp --at 1 --step 0.1": (3, "inconclusive"),
}


@pytest.mark.parametrize("line", VERDICTS)
def test_exit_code_and_verdict(line: str) -> None:
    _write("empty.npy", np.empty((0, 3)))
    code, report = _report(line)
    assert (code, report["verdict"]) == VERDICTS[line]
    table = run(f"softmax-cli gradcheck {line}")
    assert (table.code, table.err) == (code, "")
    only = " (built-in derivatives)" * (report["subject"] == "built-in")
    assert f"\nverdict: {report['verdict']}{only}\n" in table.out


def test_wrong_builtin_derivative_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(BUILTINS[0], analytic=lambda a, T, v: BUILTINS[0].analytic(a, T, v).T + 1e-4)
    monkeypatch.setattr(core, "BUILTINS", (wrong, *BUILTINS[1:]))
    code, report = _report("--seed 3")
    assert (code, report["verdict"]) == (1, "fail")
    assert [check["verdict"] for check in report["checks"]] == ["fail", *["pass"] * 7]


FILES = "--logits Z.npy --labels L.npy --grad"
FUNCTION = "functions:energy --grad functions:gradient"
ERRORS = {
    "--typo": "--typo",
    "--method newton": "--method",
    "--of tanh": "--of",
    "--points 0": "--points",
    "--worst -1": "--worst",
    "--seed -1": "--seed",
    "--format csv": "--format",
    "--step 0": "step",
    "--step -1e-3": "step",
    "--rtol -1": "rtol",
    "--atol nan": "atol",
    "--temperature 0": "temperature",
    "--temperature -1": "temperature",
    "1 abc": "abc",
    "1,2 3,4,5": "3",
    "absent.npy": "absent.npy",
    "1 nan": "no softmax",
    "1 inf": "no softmax",
    "-inf -inf": "no softmax",
    "--labels L.npy": "--labels.* --logits",
    "--targets Y.npy": "--targets.* --logits",
    "--upstream V.npy": "--upstream.* --logits",
    "--jacobian J.npy": "--jacobian.* --logits",
    "--grad G.npy": "--grad.* --logits",
    "--at 1,2": "--at.* module:function",
    "--logits Z.npy": "--grad",
    "--logits Z.npy --grad G.npy": "--labels.* --targets",
    "--logits Z.npy --labels L.npy --targets Y.npy --grad G.npy": "--labels.* --targets",
    "--logits Z.npy --labels L.npy": "--grad",
    "--logits Z.npy --upstream V.npy --grad G.npy": "--of",
    "--logits Z.npy --upstream V.npy --grad G.npy --of xent": "--of",
    "--logits Z.npy --jacobian Z.npy": "--of",
    f"1 2 {FILES} G.npy": "--logits.* values",
    f"{FILES} absent.npy": "--grad: absent.npy",
    f"{FILES} fewer.npy": "fewer.npy: .*rows.* Z.npy",
    f"{FILES} more.npy": "more.npy: .*rows.* Z.npy",
    f"{FILES} narrow.npy": "narrow.npy: 3 columns.* Z.npy",
    f"{FILES} fewer.csv": "fewer.csv: .*rows.* Z.npy",
    f"{FILES} more.csv": "more.csv: .*rows.* Z.npy",
    f"{FILES} G.npy --temperature 0": "temperature",
    "--logits more.npy --labels L.npy --grad more.npy": "L.npy: .*rows.* more.npy",
    "--logits fewer.npy --labels L.npy --grad fewer.npy": "L.npy: .*rows.* fewer.npy",
    "--logits bad.npy --labels L.npy --grad G.npy": "bad.npy: row 4.* no softmax",
    "--logits Z.npy --labels 2,0,4,1,1,2 --grad G.npy": "row 2: label 4 is out of range",
    "--logits Z.npy --labels 2,0,3,1,-1,2 --grad G.npy": "row 4: label -1 is out of range",
    "--logits Z.npy --labels 2,0,3,1,1,2.5 --grad G.npy": "2.5",
    "--logits Z.npy --labels 2,0 --grad G.npy": "rows.* Z.npy",
    "--logits Z.npy --targets narrow.npy --grad G.npy": "--targets: 3 classes.* Z.npy has 4",
    "--logits Z.npy --targets V.npy --grad G.npy": "negative",
    "--logits Z.npy --upstream fewer.npy --grad G.npy --of softmax": "rows.* Z.npy",
    "--logits Z.npy --jacobian G.npy --of softmax": "G.npy: .*rows.* Z.npy",
    FUNCTION: "--at",
    f"{FUNCTION} --at absent.npy": "--at: absent.npy",
    f"{FUNCTION} --at 1 --step 0": "step",
    f"{FUNCTION} --at 1 --rtol inf": "rtol",
    "functions:energy --grad G.npy --at 1": "--grad",
    "functions:energy --at 1": "pair",
    "functions:nothing --at 1": "functions.*nothing",
    "functions:number --at 1": "functions:number",
    "missing:energy --at 1": "missing",
    "broken:energy --at 1": "broken.*ZeroDivisionError: division by zero",
    "functions:raises --grad functions:gradient --at 1": "functions:raises.*ValueError: not today",
    "functions:energy --grad functions:raises --at 1": "functions:raises.*ValueError: not today",
    "functions:energy --grad functions:diagonal --at 1,2": r"shape \(2, 2\)",
    "functions:squares --grad functions:gradient --at 1,2": r"shape \(2,\)",
    "functions:modulus --grad numpy:sign --at 1 --method complex": "complex numbers",
}


@pytest.mark.parametrize("line", ERRORS)
def test_usage_error(line: str) -> None:
    G = _gradient(ONE_HOT)
    arrays = {
        "fewer": G[:-1],
        "more": np.concatenate([G, G[:1]]),
        "narrow": G[:, :3],
        "bad": np.where(np.arange(ROWS)[:, None] == 4, np.nan, Z),
    }
    for name, array in arrays.items():
        _write(f"{name}.npy", array)
        _write(f"{name}.csv", array)
    Path("broken.py").write_text("1 / 0\n")
    assert re.search(ERRORS[line], _error(run(f"softmax-cli gradcheck {line}")))


# Gradient files


class Form(NamedTuple):
    """A command line but for the file that is checked, and what that file should hold."""

    line: str
    right: Callable[[], Array]


FORMS = {
    "labels": Form("--labels L.npy --grad", lambda: _gradient(ONE_HOT)),
    "labels inline": Form("--labels 2,0,3,1,1,2 --grad", lambda: _gradient(ONE_HOT)),
    "mean": Form("--labels L.npy --reduction mean --grad", lambda: _gradient(ONE_HOT)),
    "batch-mean": Form("--labels L.npy --reduction batch-mean --grad", lambda: _gradient(ONE_HOT)),
    "sum": Form("--labels L.npy --reduction sum --grad", lambda: _gradient(ONE_HOT, divisor=1)),
    "none": Form("--labels L.npy --reduction none --grad", lambda: _gradient(ONE_HOT, divisor=1)),
    "T 0.5": Form("--labels L.npy --temperature 0.5 --grad", lambda: _gradient(ONE_HOT, 0.5)),
    "T 3": Form("--labels L.npy -t 3 --grad", lambda: _gradient(ONE_HOT, 3.0)),
    "bits": Form("--labels L.npy --base 2 --grad", lambda: _gradient(ONE_HOT) / np.log(2)),
    "decimal": Form("--labels L.npy --base 10 --grad", lambda: _gradient(ONE_HOT) / np.log(10)),
    "targets": Form("--targets Y.npy --grad", lambda: _gradient(Y)),
    "targets, T 2, sum": Form(
        "--targets Y.npy -t 2 --reduction sum --grad", lambda: _gradient(Y, 2.0, 1.0)
    ),
    "softmax upstream": Form(
        "--of softmax --upstream V.npy --grad", lambda: np.einsum("ri,rij->rj", V, _jacobian())
    ),
    "log-softmax upstream": Form(
        "--of log-softmax --upstream V.npy -t 2 --grad",
        lambda: np.einsum("ri,rij->rj", V, _log_jacobian(2.0)),
    ),
    "one upstream vector": Form(
        "--of softmax --upstream 1,-2,0.5,3 --grad",
        lambda: np.einsum("i,rij->rj", [1, -2, 0.5, 3], _jacobian()),
    ),
    "softmax jacobian": Form("--of softmax --jacobian", _jacobian),
    "log-softmax jacobian": Form("--of log-softmax -t 0.5 --jacobian", lambda: _log_jacobian(0.5)),
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@every_form
def test_right_gradient_file_passes(form: Form) -> None:
    right = form.right()
    code, check = _check(f"--logits Z.npy {form.line} {_write('right.npy', right)}")
    assert (code, check["verdict"], check["over_tolerance"]) == (0, "pass", 0)
    assert (check["name"], check["method"], check["step"]) == ("right.npy", "exact", None)
    assert (check["entries"], check["dtype"]) == (right.size, "float64")
    assert check["max_abs_error"] < 1e-15


@every_form
def test_gradient_file_with_one_wrong_entry_fails(form: Form) -> None:
    wrong = form.right().copy()
    place = np.unravel_index(np.abs(wrong).argmax(), wrong.shape)
    wrong[place] *= 1 + 1e-5
    code, check = _check(f"--logits Z.npy {form.line} {_write('wrong.npy', wrong)}")
    assert (code, check["verdict"], check["over_tolerance"]) == (1, "fail", 1)
    assert check["diagnosis"] is None
    assert check["worst"][0]["index"] == [int(i) for i in place]
    assert check["worst"][0]["analytic"] == wrong[place]
    assert check["max_rel_error"] == pytest.approx(1e-5, rel=1e-4)


@every_form
@pytest.mark.parametrize("wrong", [lambda G: G[::-1], lambda G: 0 * G, lambda G: G.T])
def test_wrong_gradient_file_fails(form: Form, wrong: Callable[[Array], Array]) -> None:
    right = form.right()
    path = _write("wrong.npy", wrong(right).reshape(right.shape))
    code, check = _check(f"--logits Z.npy {form.line} {path}")
    assert (code, check["verdict"]) == (1, "fail")


def _in(dtype: str) -> Callable[[str, Array], str]:
    return lambda path, array: _write(path, array.astype(dtype))


def _fortran(path: str, array: Array) -> str:
    return _write(path, np.asfortranarray(array))


def _with_header(path: str, array: Array) -> str:
    np.savetxt(path, array, delimiter=",", fmt="%.17g", header="a,b,c,d", comments="")
    return path


ENCODINGS = {
    "float64": ("G.npy", _in("<f8"), "float64"),
    "float32": ("G.npy", _in("<f4"), "float32"),
    "float16": ("G.npy", _in("<f2"), "float16"),
    "big-endian float64": ("G.npy", _in(">f8"), "float64"),
    "big-endian float32": ("G.npy", _in(">f4"), "float32"),
    "Fortran order": ("G.npy", _fortran, "float64"),
    "NPZ": ("G.npz", _write, "float64"),
    "CSV": ("G.csv", _write, "float64"),
    "CSV with a header": ("G.csv", _with_header, "float64"),
    "TSV": ("G.tsv", _write, "float64"),
    "text": ("G.txt", _write, "float64"),
    "JSON": ("G.json", _write, "float64"),
}


@pytest.mark.parametrize(("path", "write", "dtype"), ENCODINGS.values(), ids=ENCODINGS)
def test_gradient_file_of_any_format(
    path: str, write: Callable[[str, Array], str], dtype: str
) -> None:
    line = f"--logits Z.npy --labels L.npy --grad {path}"
    write(path, _gradient(ONE_HOT))
    code, check = _check(line)
    assert (code, check["verdict"], check["dtype"]) == (0, "pass", dtype)
    write(path, 1.1 * _gradient(ONE_HOT))
    code, check = _check(line)
    assert (code, check["verdict"], check["dtype"]) == (1, "fail", dtype)


@pytest.mark.parametrize("suffix", ["npy", "csv", "json"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_logits_and_labels_of_any_format(suffix: str, dtype: str) -> None:
    logits = Z.astype(dtype)
    S = _softmax(logits.astype(np.float64))
    _write(f"logits.{suffix}", logits)
    _write(f"labels.{suffix}", L)
    _write("right.npy", (S - ONE_HOT) / ROWS)
    code, check = _check(
        f"--logits logits.{suffix} --labels labels.{suffix} --grad right.npy --rtol 1e-12 --atol 0"
    )
    assert (code, check["verdict"]) == (0, "pass")


def test_labels_by_name() -> None:
    _with_header("named.csv", Z)
    line = "--logits named.csv --grad G.npy --labels"
    assert _report(f"{line} c,a,d,b,b,c")[0] == 0
    assert _report(f"{line} c,a,d,b,b,b")[0] == 1
    assert "'e'" in _error(run(f"softmax-cli gradcheck {line} c,a,d,b,b,e"))


def test_dtype_that_is_asked_for_sets_the_tolerance() -> None:
    _write("G.csv", _gradient(ONE_HOT) * (1 + 1e-5))
    line = "--logits Z.npy --labels L.npy --grad G.csv"
    assert _check(line)[1]["verdict"] == "fail"
    code, check = _check(f"{line} --dtype float32")
    assert (code, check["verdict"], check["dtype"]) == (0, "pass", "float32")


@pytest.mark.parametrize(
    ("tolerance", "code"),
    [("", 1), ("--rtol 1e-3", 0), ("--atol 1e-3", 0), ("--rtol 1e-5", 1), ("--atol 1e-9", 1)],
)
def test_given_tolerance(tolerance: str, code: int) -> None:
    _write("G.npy", _gradient(ONE_HOT) * (1 + 1e-4))
    assert _check(f"--logits Z.npy --labels L.npy --grad G.npy {tolerance}")[0] == code


@pytest.mark.parametrize(
    ("form", "wrong", "diagnosis"),
    [
        ("labels", lambda G: G + ONE_HOT / ROWS, "the missing -1 at the label"),
        ("T 3", lambda G: G + ONE_HOT / ROWS / 3, "the missing -1 at the label"),
        ("targets", lambda G: G + Y / ROWS, "the missing -1 at the label"),
        ("labels", lambda G: -G, "a flipped sign"),
        ("softmax upstream", lambda G: -G, "a flipped sign"),
        ("labels", lambda G: 2 * G, "a factor of 2"),
        ("labels", lambda G: G / 2, "a factor of 1/2"),
        ("labels", lambda G: ROWS * G, "a missing division by the number of rows"),
        ("labels", lambda G: G / ROWS, "a division by the number of rows too many"),
        ("labels", lambda G: N * G, "a factor of N, the number of classes"),
        ("labels", lambda G: G / N, "a division by N, the number of classes"),
        ("T 3", lambda G: 3 * G, "a missing 1/T"),
        ("T 3", lambda G: G / 3, "1/T taken twice"),
        ("log-softmax jacobian", lambda J: J / 2, "a missing 1/T, or a factor of 1/2"),
        ("log-softmax jacobian", lambda J: np.swapaxes(J, 1, 2), "a transposed matrix"),
        ("softmax jacobian", lambda J: J * np.eye(N), "a Jacobian with only its diagonal"),
        ("labels", lambda G: 1.1 * G, "a constant factor: the gradient is 1.1 times the reference"),
    ],
)
def test_failure_says_what_it_looks_like(
    form: str, wrong: Callable[[Array], Array], diagnosis: str
) -> None:
    path = _write("wrong.npy", wrong(FORMS[form].right()))
    line = f"--logits Z.npy {FORMS[form].line} {path}"
    code, check = _check(line)
    assert (code, check["verdict"], check["diagnosis"]) == (1, "fail", diagnosis)
    words = " ".join(run(f"softmax-cli gradcheck {line}").out.split())
    assert f"it looks like {diagnosis}" in words


@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_entry_far_down_a_long_file(suffix: str) -> None:
    rows = 70_000
    a = np.linspace(-3, 3, rows)
    logits = np.stack([a, -a], axis=1)
    G = _softmax(logits) - [1, 0]
    G[[40_000, 69_999], [0, 1]] += [1e-3, 1e-2]
    _write("logits.npy", logits)
    _write("labels.npy", np.zeros(rows, int))
    line = (
        f"--logits logits.npy --labels labels.npy --reduction sum --grad {_write(f'G.{suffix}', G)}"
    )
    code, check = _check(f"{line} --worst 2")
    assert (code, check["entries"], check["over_tolerance"]) == (1, 2 * rows, 2)
    worst = {tuple(entry["index"]): entry["abs_error"] for entry in check["worst"]}
    assert worst == pytest.approx({(40_000, 0): 1e-3, (69_999, 1): 1e-2}, rel=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_gradient_computed_in_low_precision(dtype: str) -> None:
    rows = 2000
    logits = 4 * np.random.default_rng(1).standard_normal((rows, 5))
    labels = np.arange(rows) % 5
    _write("logits.npy", logits.astype(dtype))
    _write("labels.npy", labels)
    # Of a mean over so many rows, float16 holds little more than subnormal numbers.
    G = (_softmax(logits.astype(dtype)) - np.eye(5, dtype=dtype)[labels]) / np.array(rows, dtype)
    assert G.dtype == dtype
    line = "--logits logits.npy --labels labels.npy --grad"
    assert _check(f"{line} {_write('right.npy', G)}")[0] == 0
    G[7, labels[7]] *= 1.5
    code, check = _check(f"{line} {_write('wrong.npy', G)}")
    assert (code, check["over_tolerance"], check["dtype"]) == (1, 1, dtype)


def test_masked_class_in_a_gradient_file() -> None:
    masked = np.where(np.arange(N) == 3, -np.inf, Z)
    G = (_softmax(masked) - np.eye(N)[[0, 1, 2, 0, 1, 2]]) / ROWS
    _write("masked.npy", masked)
    line = "--logits masked.npy --labels 0,1,2,0,1,2 --grad"
    assert _check(f"{line} {_write('right.npy', G)}")[0] == 0
    G[2, 3] = 0.01
    code, check = _check(f"{line} {_write('wrong.npy', G)}")
    assert (code, check["over_tolerance"], check["worst"][0]["index"]) == (1, 1, [2, 3])


# The report


@pytest.mark.parametrize(
    "line",
    [
        "",
        "100 0",
        "1 2 3 --of softmax --step 0.01 --method central",
        "--logits Z.npy --labels L.npy --grad G.npy",
        "--logits Z.npy --labels L.npy --grad wrong.npy",
        "--logits Z.npy --labels L.npy --grad nan.npy",
        "functions:both --at 1,2",
        "functions:energy --grad functions:gradient --at nan,1",
    ],
)
def test_report_has_the_keys_of_the_contract(line: str) -> None:
    _write("nan.npy", np.where(ONE_HOT == 1, np.nan, _gradient(ONE_HOT)))
    _, report = _report(line)
    assert set(report) == REPORT_KEYS
    assert report["command"] == "gradcheck"
    assert report["checks"]
    for check in report["checks"]:
        assert set(check) == CHECK_KEYS
        assert all(set(entry) == ENTRY_KEYS for entry in check["worst"])


def test_numbers_that_are_not_finite_are_strings() -> None:
    G = _gradient(ONE_HOT)
    G[1, 2] = np.nan
    code, check = _check(f"--logits Z.npy --labels L.npy --grad {_write('nan.npy', G)} --worst 1")
    assert (code, check["verdict"], check["non_finite"]) == (1, "fail", 1)
    (entry,) = check["worst"]
    assert entry["index"] == [1, 2]
    assert [entry[key] for key in ("analytic", "abs_error", "rel_error")] == ["nan"] * 3
    assert entry["reference"] == pytest.approx(_gradient(ONE_HOT)[1, 2], rel=1e-12)


REPEATED = [
    "",
    "--seed 7",
    "--seed=7 --points 3",
    "1 2 3 --of softmax",
    "-1,-2 .5,-inf --worst 1",
    "--method central --step 0.01 --seed 5",
    "--dtype float32 -t 0.5 --of log-softmax --method richardson --points 2",
    "100 0 --of softmax",
    "--logits Z.npy --labels L.npy --grad wrong.npy",
    "--logits Z.npy --labels 2,0,3,1,1,2 --grad G.npy --rtol 1e-3 --atol 0.01",
    "--logits 'two words.npy' --labels L.npy --grad G.npy",
    "functions:energy --grad functions:doubled --at -1,2,3 --step 1e-4",
    "functions:both --at 'two words.npy' --method complex",
]


@pytest.mark.parametrize("line", REPEATED)
def test_command_that_repeats_the_check(line: str) -> None:
    _write("two words.npy", Z)
    code, report = _report(line)
    (again,) = {check["reproduce"] for check in report["checks"]}
    assert shlex.split(again)[:2] == ["softmax-cli", "gradcheck"]
    outcome = run(again)
    assert (outcome.code, _strict(outcome.out)) == (code, report)


def test_command_that_repeats_the_check_holds_the_seed() -> None:
    first, other = _report("--points 2 --seed 1")[1], _report("--points 2")[1]
    assert (first["seed"], other["seed"]) == (1, 0)
    assert "--seed 1" in first["checks"][0]["reproduce"]
    assert "--seed 0" in other["checks"][0]["reproduce"]
    # Another seed: other points, and as many of them.
    for one, two in zip(first["checks"], other["checks"], strict=True):
        assert one["worst"][0]["reference"] != two["worst"][0]["reference"]
        assert one["entries"] == two["entries"]


@pytest.mark.parametrize(("points", "entries"), [(1, 4), (3, 29), (8, 284)])
def test_number_of_points(points: int, entries: int) -> None:
    check = _report(f"--of softmax --points {points}")[1]["checks"][0]
    assert (check["name"], check["entries"]) == ("softmax jacobian", entries)


@pytest.mark.parametrize("worst", [0, 1, 4])
def test_number_of_worst_entries(worst: int) -> None:
    check = _check(f"--logits Z.npy --labels L.npy --grad wrong.npy --worst {worst}")[1]
    assert len(check["worst"]) == worst
    excess = [entry["abs_error"] / entry["allowed"] for entry in check["worst"]]
    assert excess == sorted(excess, reverse=True)


def test_report_is_that_of_the_library() -> None:
    code, report = _report("1,2,3 0,-1,0.5 --seed 4 --temperature 2")
    library = gradcheck(at=[[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]], seed=4, temperature=2.0).as_dict()
    for check in (*report["checks"], *library["checks"]):
        del check["reproduce"]
    assert (code, report) == (0, library)


def test_table_says_how_it_was_made() -> None:
    table = run("softmax-cli gradcheck --seed 11 --method central --step 1e-4 --rtol 1e-4").out
    for said in (
        "rule: |a - n| <= atol + rtol * max(|a|, |n|)",
        "central, step 0.0001",
        "seed 11",
        "rtol 0.0001",
        "softmax-cli gradcheck --seed 11 --method central --step 1e-4 --rtol 1e-4",
    ):
        assert said in table


def test_table_shows_counts_and_worst_entries_of_a_failure() -> None:
    G = _gradient(ONE_HOT)
    G[[1, 3], [2, 0]] = [np.nan, 0.5]
    line = f"--logits Z.npy --labels L.npy --grad {_write('wrong.npy', G)} --worst 2"
    table = run(f"softmax-cli gradcheck {line}").out
    assert f"2 of {G.size} entries over tolerance, 1 not finite" in table
    assert re.search(r"\[1, 2\] +nan .*\n +\[3, 0\] +0\.5 ", table)


@pytest.mark.parametrize("line", ["--of xent", "--logits Z.npy --labels L.npy --grad wrong.npy"])
def test_report_in_a_file(line: str) -> None:
    code, report = _report(line)
    outcome = run(f"softmax-cli gradcheck {line} -o report.json")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", "")
    written = _strict(Path("report.json").read_text())
    for check in (*report["checks"], *written["checks"]):
        del check["reproduce"]
    assert written == report


def test_error_leaves_an_older_report() -> None:
    Path("report.json").write_text("old")
    outcome = run("softmax-cli gradcheck --logits Z.npy --labels 9 --grad G.npy -o report.json")
    assert outcome.code == ExitCode.ERROR
    assert Path("report.json").read_text() == "old"
