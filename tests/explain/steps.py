"""The steps of a command as data and as text, and their exact numbers."""

from __future__ import annotations

import json
import math
from typing import Any

from rich.cells import cell_len

from tests.core.mpmath_reference import CASES, Case, real
from tests.running import run

SHORT = {name: case for name, case in CASES.items() if len(case.logits) <= 20}
Steps = dict[str, dict[str, Any]]


def explained(line: str) -> Steps:
    """Return the steps that explain a command's first row, by name."""
    outcome = run(f"softmax-cli {line} --explain --format json --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    return {step["step"]: step for step in json.loads(outcome.out)["steps"]}


def said(line: str) -> str:
    """Return a command's explanation as text, after checking that its lines fit 80 columns."""
    outcome = run(f"softmax-cli {line} --explain --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line for line in lines if cell_len(line) > 80 and "softmax-cli " not in line] == []
    return outcome.out


def typed(case: Case) -> str:
    """Return a row and its temperature as words of a command line."""
    return f"{','.join(map(repr, case.logits))} -t {case.temperature!r}"


def near(got: list[Any], exact: list[Any], *, units: float = 8, scale: float = 0.0) -> None:
    """Compare numbers from JSON with exact ones; beyond the range of float64 they are inf."""
    assert len(got) == len(exact)
    for number, true in zip(got, exact, strict=True):
        nearest = float(true)
        if math.isinf(nearest):
            assert number == ("inf" if nearest > 0 else "-inf")
            continue
        allowed = units * (math.ulp(nearest) + scale * 2.0**-52)
        assert abs(float(number) - nearest) <= allowed, (number, nearest)


def exact_row(case: Case) -> tuple[list[Any], list[Any]]:
    """Return a / T and S of a row, exactly."""
    T = real.mpf(case.temperature)
    over = [real.mpf(a) / T for a in case.logits]
    g = [real.exp(a) for a in over]
    h = real.fsum(g)
    return over, [each / h for each in g]
