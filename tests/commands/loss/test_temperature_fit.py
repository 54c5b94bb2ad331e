"""xent --fit-temperature: the temperature of the least loss, and what uses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softmax_cli import softmax
from tests.commands.loss.reports import LABELS, LOGITS, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_inputs()


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("extra", ["", "--label-smoothing 0.05 --class-weights 1,2,3,4"])
def test_the_fitted_temperature_has_the_least_loss(scale: float, extra: str) -> None:
    np.save("z.npy", LOGITS * scale)
    line = f"z.npy --labels l.npy {extra}"
    found = report(f"{line} --fit-temperature")
    fit = found["fit_temperature"]
    T = fit["temperature"]
    before, after = report(f"{line} --calibration"), report(f"{line} -t {T!r} --calibration")
    assert fit["before"] == {
        "temperature": 1.0,
        "loss": before["loss"],
        "ece": before["calibration"]["ece"],
    }
    assert fit["after"] == {
        "temperature": T,
        "loss": after["loss"],
        "ece": after["calibration"]["ece"],
    }
    assert (found["loss"], found["temperature"]) == (after["loss"], T)
    for other in (T * (1 - 1e-5), T * (1 + 1e-5)):
        assert report(f"{line} -t {other!r}")["loss"] > found["loss"]


def test_a_fit_is_used_for_everything_that_follows() -> None:
    line = "softmax-cli xent z.csv --id-columns id --label-column y"
    T = report("z.npy --labels l.npy --fit-temperature")["temperature"]
    run(f"{line} --fit-temperature --losses fitted.csv --grad fitted.npy -q")
    run(f"{line} -t {T!r} --losses plain.csv --grad plain.npy")
    assert Path("fitted.csv").read_text() == Path("plain.csv").read_text()
    assert Path("fitted.npy").read_bytes() == Path("plain.npy").read_bytes()


def test_a_fit_of_soft_targets_has_no_calibration() -> None:
    np.save("y.npy", softmax(LOGITS / 3))
    fit = report("z.npy --targets y.npy --fit-temperature")["fit_temperature"]
    assert fit["temperature"] == pytest.approx(3, rel=1e-12)
    assert (fit["before"]["ece"], fit["after"]["ece"]) == (None, None)


@pytest.mark.parametrize("from_", ["probabilities", "log-probabilities"])
@pytest.mark.parametrize("extra", ["", "--mask-class 1 --ignore-label 1", "--base 2 -t 3"])
def test_logarithms_of_probabilities_are_logits(from_: str, extra: str) -> None:
    P = softmax(np.where(LOGITS > 4, -np.inf, LOGITS))
    P[(np.arange(60), LABELS)] += 1e-3
    P /= P.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        np.save("z.npy", np.log(P))
    np.save("p.npy", P if from_ == "probabilities" else np.log(P))
    of_logits = report(f"z.npy --labels l.npy --fit-temperature --calibration {extra}")
    found = report(f"p.npy --from {from_} --labels l.npy --fit-temperature --calibration {extra}")
    assert found["temperature"] == found["fit_temperature"]["after"]["temperature"]
    for one, other in (
        (found, of_logits),
        (found["fit_temperature"]["before"], of_logits["fit_temperature"]["before"]),
        (found["fit_temperature"]["after"], of_logits["fit_temperature"]["after"]),
    ):
        for key in ("loss", "temperature"):
            assert one[key] == pytest.approx(other[key], rel=1e-10)
    if not extra:
        plain = report(f"p.npy --from {from_} --labels l.npy --calibration")
        before = found["fit_temperature"]["before"]
        assert before["loss"] == pytest.approx(plain["loss"], rel=1e-13)
        assert before["ece"] == pytest.approx(plain["calibration"]["ece"], rel=1e-12)


def test_the_loss_of_fitted_probabilities_is_that_of_their_powers() -> None:
    P, labels = [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]], [0, 1, 1]
    typed = " ".join(",".join(map(repr, row)) for row in P)
    found = report(f"{typed} --from probabilities --labels 0,1,1 --fit-temperature")
    powers = np.array(P) ** (1 / found["temperature"])
    of_labels = powers[np.arange(3), labels] / powers.sum(axis=-1)
    assert found["loss"] == pytest.approx(-np.log(of_labels).mean(), rel=1e-13)


def test_a_label_of_probability_0_has_an_infinite_loss_at_every_temperature() -> None:
    line = "0.5,0.5 1,0 --labels 0,1 --from probabilities --fit-temperature"
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "softmax-cli: arguments: row 1: its label has probability 0, so its loss is infinite at "
        "every temperature; leave such rows out\n"
    )


def test_probabilities_have_a_temperature_only_where_it_is_fitted() -> None:
    outcome = run("softmax-cli xent 0.5,0.5 --labels 0 --from probabilities -t 2")
    assert outcome.code == 2
    assert "--temperature: goes with logits alone" in outcome.err


@pytest.mark.parametrize(
    "line",
    [
        "0,0 0,0 --labels 0,1",
        "1,1,1 3,3,3 --labels 0,2 -t 5",
        "0,0 --targets 0.3,0.7",
        "3,3,0 --labels 0 --mask-class 2",
        "0,0,0 --labels 0 --label-smoothing 0.1",
        "0,0 3,0 --labels 0,0 --sample-weights 1,0",
    ],
)
def test_a_loss_that_is_the_same_at_every_temperature_is_not_said_to_fall(line: str) -> None:
    outcome = run(f"softmax-cli xent {line} --fit-temperature")
    assert (outcome.code, outcome.out) == (2, "")
    assert "the loss is the same at every temperature" in outcome.err
    assert "falls" not in outcome.err
    losses = {run(f"softmax-cli xent {line} --temperature {T}").out for T in (0.125, 1, 1024)}
    assert len(losses) == 1
