"""The running loss: infinite losses and bad rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.commands.loss.reports import report
from tests.running import run

pytestmark = pytest.mark.fast(4)


def test_nothing_is_clipped() -> None:
    """scikit-learn#24515."""
    outcome = run("softmax-cli xent 1,0 0,1 --from probabilities --labels 1,1")
    assert (outcome.code, outcome.out) == (0, "inf\n")
    assert "1 row has an infinite loss: arguments: row 0" in outcome.err
    assert report("1e-300,1 --from probabilities --labels 0")["loss"] == pytest.approx(
        300 * np.log(10), rel=1e-15
    )


def test_a_bad_row_is_nan_whatever_it_weighs() -> None:
    line = "1,2 nan,1 --labels 0,1 --class-weights 1,0 --on-bad-row nan --reduction none -q"
    assert run(f"softmax-cli xent {line}").out.split()[1] == "nan"
