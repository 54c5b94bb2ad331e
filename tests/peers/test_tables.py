"""The rows of tests/peers/rows.py, as each tool wrote them, have one loss and no other."""

from __future__ import annotations

import re

import pytest

from tests.peers.commands import MEAN_LOSS
from tests.peers.rows import FILES, LOSS
from tests.running import run

NOTE = re.compile(r"begins? with #$|: cells are separated by (';'|a tab)$")


@pytest.mark.parametrize(
    ("tool", "line"),
    [
        pytest.param(tool, line, id=f"{tool}: {line}")
        for tool in MEAN_LOSS
        for line in MEAN_LOSS[tool]
    ],
)
def test_a_table_has_the_loss_of_its_rows(
    tool: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES / tool)
    outcome = run(f"softmax-cli xent {line}")
    said = [each for each in outcome.err.splitlines() if not NOTE.search(each)]
    assert (outcome.code, said) == (0, [])
    assert float(outcome.out) == pytest.approx(LOSS, rel=1e-12)
