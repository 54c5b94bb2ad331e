"""Rows that are compared as a whole: the same report as of entries that are compared one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.core.kernel import choice
from tests.running import run

pytestmark = [
    pytest.mark.skipif(choice.compiled() is None, reason="there is no compiled kernel"),
    pytest.mark.fast(4),
]

Array = NDArray[Any]
ROWS, N = 700, 60
RNG = np.random.default_rng(5)
IGNORE = "--labels y.npy --ignore-label -1"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("softmax_cli.formats.model.blocks.BLOCK_BYTES", 1 << 13)
    z = (4 * RNG.standard_normal((ROWS, N))).astype(np.float32)
    labels = RNG.integers(0, N, ROWS)
    # Rows that are as good as certain have gradients of almost 0.
    z[::7] *= 40
    labels[::7] = z[::7].argmax(axis=-1)
    z[5::50, 3] = -np.inf
    labels[labels == 3] = 4
    labels[::11] = -1
    np.save("z.npy", z)
    np.save("y.npy", labels)
    np.save("s.npy", RNG.uniform(0.5, 2, ROWS))
    np.save("soft.npy", RNG.dirichlet(np.ones(N), ROWS))


def _right(G: Array) -> None:
    pass


def _one_wrong(G: Array) -> None:
    G[ROWS // 2, N - 1] += 1


def _all_wrong(G: Array) -> None:
    G *= 1.5


def _not_finite(G: Array) -> None:
    G[3, 0], G[44, 5], G[-1, -1] = np.nan, np.inf, -np.inf


def _noisy(G: Array) -> None:
    G *= 1 + np.random.default_rng(1).uniform(-2e-3, 2e-3, G.shape).astype(G.dtype)


def _zeros(G: Array) -> None:
    G[:] = 0


LOSSES = [
    IGNORE,
    f"{IGNORE} --sample-weights s.npy -t 0.7",
    f"{IGNORE} --label-smoothing 0.1 --base 2",
    f"{IGNORE} -t 1e-4",
    "--targets soft.npy",
    "--targets soft.npy -t 3 --reduction sum",
]
GIVEN = ["", "--rtol 1e-4", "--atol 1e-6", "--rtol 0 --atol 0", "--worst 40", "--worst 0"]


def _report(options: str) -> tuple[int, Any]:
    outcome = run(f"softmax-cli gradcheck --logits z.npy --grad g.npy {options} --format json")
    assert outcome.out, outcome.err
    return outcome.code, json.loads(outcome.out)


@pytest.mark.parametrize("damage", [_one_wrong, _noisy, _not_finite, _right, _all_wrong, _zeros])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_report(
    damage: Any, dtype: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(f"softmax-cli xent z.npy {loss} --grad g.npy --quiet").code == 0
    G = np.load("g.npy").astype(dtype)
    damage(G)
    np.save("g.npy", G)
    found = [_report(f"{loss} {given}") for given in GIVEN]
    if damage in (_one_wrong, _not_finite):
        assert found[0][1]["checks"][0]["verdict"] in ("fail", "inconclusive")
    monkeypatch.setattr("softmax_cli.commands.gradients.file_check.loss_rows", lambda *_: None)
    assert repr([_report(f"{loss} {given}") for given in GIVEN]) == repr(found)
