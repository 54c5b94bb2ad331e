"""What a command explains, as data and as text, and the exact numbers of it."""

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
    """Return the steps that a command tells, by their names."""
    outcome = run(f"softmax-cli {line} --explain --format json --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    return {step["step"]: step for step in json.loads(outcome.out)["steps"]}


def said(line: str) -> str:
    """Return what a command explains to people, whose lines fit 80 columns."""
    outcome = run(f"softmax-cli {line} --explain --quiet")
    assert (outcome.code, outcome.err) == (0, "")
    copied = ("softmax-cli ",)
    assert [
        each for each in outcome.out.splitlines() if cell_len(each) > 80 and copied[0] not in each
    ] == []
    return outcome.out


def typed(case: Case) -> str:
    """Return the words of a command line that are a row and its temperature."""
    return f"{','.join(map(repr, case.logits))} -t {case.temperature!r}"


def near(got: list[Any], exact: list[Any], *, units: float = 8, scale: float = 0.0) -> None:
    """Compare numbers as JSON holds them with exact ones; what no float64 holds is 0 or inf."""
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
