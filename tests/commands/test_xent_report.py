"""What xent tells beside the loss: accuracy, classes, the worst rows, calibration, temperature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy, softmax
from tests.running import run

pytestmark = pytest.mark.fast(4)

DRAW = np.random.default_rng(21)
LOGITS = DRAW.normal(0, 2, (60, 4))
LABELS = np.where(DRAW.random(60) < 0.7, LOGITS.argmax(-1), DRAW.integers(0, 4, 60))
NAMES = "north,east,south,west"


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", LOGITS)
    np.save("l.npy", LABELS)
    np.save("onehot.npy", np.eye(4)[LABELS])
    names = NAMES.split(",")
    lines = [
        f"r{row},{','.join(map(repr, logits))},{names[label]}"
        for row, (logits, label) in enumerate(zip(LOGITS.tolist(), LABELS, strict=True))
    ]
    Path("z.csv").write_text("\n".join([f"id,{NAMES},y", *lines]) + "\n")


def report(line: str) -> dict[str, Any]:
    """The JSON report of a run that succeeds and says nothing else."""
    outcome = run(f"softmax-cli xent {line} --format json")
    assert (outcome.code, outcome.err) == (0, "")
    result: dict[str, Any] = json.loads(outcome.out)
    return result


of_both = pytest.mark.parametrize("form", ["--labels l.npy", "--targets onehot.npy"])


@of_both
@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_top_k_accuracy(form: str, k: int) -> None:
    told = report(f"z.npy {form} --top-k-accuracy {k}")
    order = np.argsort(-LOGITS, axis=-1, kind="stable")[:, :k]
    assert told["top_k"] == k
    assert told["top_k_accuracy"] == (order == LABELS[:, None]).any(-1).mean()
    if k == 1:
        assert told["top_k_accuracy"] == told["accuracy"]


def test_of_equal_logits_the_first_classes_are_the_likeliest() -> None:
    line = "1,1,1 1,1,1 1,1,1 --labels 0,1,2"
    assert report(f"{line} --top-k-accuracy 2")["top_k_accuracy"] == 2 / 3
    assert report(f"{line} --top-k-accuracy 1")["top_k_accuracy"] == 1 / 3


@of_both
def test_per_class(form: str) -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    for number, told in enumerate(report(f"z.npy {form} --per-class")["per_class"]):
        of = np.equal(LABELS, number)
        assert told["class"] == number
        assert told["rows"] == of.sum()
        assert told["loss"] == pytest.approx(losses[of].mean(), rel=1e-14)
        assert told["accuracy"] == (LOGITS.argmax(-1) == LABELS)[of].mean()


def test_per_class_of_weighted_rows_and_of_none() -> None:
    s = DRAW.random(60)
    np.save("s.npy", s)
    told = report(
        "z.npy --labels l.npy --per-class --sample-weights s.npy --class-weights 1,2,0,4 "
        "--ignore-label 3"
    )["per_class"]
    losses, of = cross_entropy(LOGITS, LABELS, reduction="none"), LABELS == 1
    assert told[1]["loss"] == pytest.approx(np.average(losses[of], weights=s[of]), rel=1e-14)
    assert told[2]["loss"] is None
    assert told[2]["rows"] == (LABELS == 2).sum()
    assert told[3] == {"class": 3, "rows": 0, "loss": None, "accuracy": None}


def test_the_worst_rows() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    told = report("z.npy --labels l.npy --worst 5")["worst"]
    order = np.argsort(-losses, kind="stable")[:5]
    assert [each["row"] for each in told] == order.tolist()
    assert [each["label"] for each in told] == LABELS[order].tolist()
    assert [each["predicted"] for each in told] == LOGITS[order].argmax(-1).tolist()
    assert_allclose([each["loss"] for each in told], losses[order], rtol=1e-15)


def test_the_worst_rows_have_names_and_ids() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    row = int(losses.argmax())
    line = "z.csv --id-columns id --label-column y --worst 1"
    names = NAMES.split(",")
    assert report(line)["worst"] == [
        {
            "row": row,
            "label": names[LABELS[row]],
            "predicted": names[LOGITS[row].argmax()],
            "loss": pytest.approx(losses[row], rel=1e-14),
            "ids": [f"r{row}"],
        }
    ]
    table = run(f"softmax-cli xent {line} --format table").out.partition("worst rows")[2]
    shown = table.splitlines()[2].split()
    assert (shown[0], shown[-1]) == (str(row), f"r{row}")


def test_of_equal_losses_the_first_rows_are_the_worst() -> None:
    told = report("0,0 0,0 0,0 0,0 --labels 0,1,0,1 --worst 2")["worst"]
    assert [each["row"] for each in told] == [0, 1]
    infinite = run("softmax-cli xent 0,0 -inf,0 0,0 --labels 0,0,1 --worst 1 --format json")
    assert json.loads(infinite.out)["worst"][0] == {
        "row": 1,
        "label": 0,
        "predicted": 1,
        "loss": "inf",
    }


def test_rows_keep_their_numbers_where_others_were_left_out() -> None:
    values = LOGITS.copy()
    values[[0, 7]] = np.nan
    np.save("z.npy", values)
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    losses[[0, 7]] = -1
    outcome = run(
        "softmax-cli xent z.npy --labels l.npy --worst 60 --on-bad-row skip -q --format json"
    )
    told = json.loads(outcome.out)["worst"]
    assert [each["row"] for each in told] == np.argsort(-losses, kind="stable")[:58].tolist()


@of_both
@pytest.mark.parametrize("bins", [10, 15])
def test_calibration(form: str, bins: int) -> None:
    told = report(f"z.npy {form} -t 2 --calibration --bins {bins}")["calibration"]
    P = softmax(LOGITS, temperature=2.0)
    confidence, right = P.max(-1), P.argmax(-1) == LABELS
    of = np.ceil(confidence * bins).astype(int) - 1
    gaps = [
        abs(right[of == b].mean() - confidence[of == b].mean()) if (of == b).any() else 0.0
        for b in range(bins)
    ]
    assert told["bins"] == bins
    ece = np.average(gaps, weights=np.bincount(of, minlength=bins))
    assert told["ece"] == pytest.approx(ece, rel=1e-12)
    assert told["mce"] == pytest.approx(max(gaps), rel=1e-12)
    brier = ((P - np.eye(4)[LABELS]) ** 2).sum(-1).mean()
    assert told["brier"] == pytest.approx(brier, rel=1e-12)
    assert [each["rows"] for each in told["reliability"]] == np.bincount(
        of, minlength=bins
    ).tolist()


@pytest.mark.parametrize("from_", ["probabilities", "log-probabilities"])
def test_calibration_of_what_is_given(from_: str) -> None:
    expected = report("z.npy --labels l.npy --calibration")["calibration"]
    P = softmax(LOGITS)
    np.save("p.npy", P if from_ == "probabilities" else np.log(P))
    told = report(f"p.npy --from {from_} --labels l.npy --calibration")["calibration"]
    for score in ("ece", "mce", "brier"):
        assert told[score] == pytest.approx(expected[score], rel=1e-12)


def test_ignored_and_bad_rows_are_not_in_a_calibration() -> None:
    expected = run("softmax-cli xent z.npy --labels l.npy --calibration --format json")
    np.save("z.npy", np.concatenate([LOGITS, [[9.0, 0, 0, 0], [np.nan, 0, 0, 0]]]))
    np.save("l.npy", np.concatenate([LABELS, [-1, 0]]))
    line = "xent z.npy --labels l.npy --calibration --ignore-label -1 --on-bad-row zero -q"
    told = json.loads(run(f"softmax-cli {line} --format json").out)
    assert told["calibration"] == json.loads(expected.out)["calibration"]


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("extra", ["", "--label-smoothing 0.05 --class-weights 1,2,3,4"])
def test_the_fitted_temperature_has_the_least_loss(scale: float, extra: str) -> None:
    np.save("z.npy", LOGITS * scale)
    line = f"z.npy --labels l.npy {extra}"
    told = report(f"{line} --fit-temperature")
    fit = told["fit_temperature"]
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
    assert (told["loss"], told["temperature"]) == (after["loss"], T)
    for other in (T * (1 - 1e-5), T * (1 + 1e-5)):
        assert report(f"{line} -t {other!r}")["loss"] > told["loss"]


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


def test_in_a_pipe_the_loss_stands_alone_and_the_rest_is_said() -> None:
    line = "softmax-cli xent z.npy --labels l.npy --worst 3 --per-class --fit-temperature"
    outcome = run(line)
    T = report("z.npy --labels l.npy --fit-temperature")["temperature"]
    assert float(outcome.out) == report(f"z.npy --labels l.npy -t {T!r}")["loss"]
    assert f"the temperature that minimises the loss is {T!r}\n" in outcome.err
    assert "--worst and --per-class are shown in a table and by --format json" in outcome.err
    assert run(f"{line} -q").err == ""


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_tables_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    line = "xent z.csv --id-columns id --label-column y --per-class --worst 3 --calibration"
    outcome = run(f"softmax-cli {line} --fit-temperature --format table", terminal=True)
    assert outcome.code == 0
    assert all(len(line) <= width for line in outcome.out.splitlines())
    for heading in ("class", "mean loss", "worst rows", "ECE", "Brier", "bin", "before"):
        assert heading in outcome.out


def test_many_classes_are_shown_by_their_loss() -> None:
    draw = np.random.default_rng(1)
    np.save("z.npy", draw.normal(0, 1, (400, 100)))
    np.save("l.npy", draw.integers(0, 100, 400))
    shown = run("softmax-cli xent z.npy --labels l.npy --per-class --format table").out
    assert "24 of 100 classes shown, those with the largest loss" in shown
    told = report("z.npy --labels l.npy --per-class")["per_class"]
    assert len(told) == 100
    worst = max(told, key=lambda each: each["loss"] or 0)
    assert shown.split("accuracy\n")[1].splitlines()[1].split()[0] == str(worst["class"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "--targets y.npy --per-class",
            "z.npy: row 0: its targets are soft, and --per-class needs",
        ),
        ("--targets y.npy --calibration", "its targets are soft, and --calibration needs a label"),
        ("--targets y.npy --top-k-accuracy 2", "--top-k-accuracy needs a label"),
        ("--targets y.npy --ignore-label 0", "y.npy: row 0: soft targets have no label"),
        ("--labels l.npy --bins 5", "--bins: are those of --calibration; add it"),
        ("--labels l.npy --top-k-accuracy 0", "--top-k-accuracy"),
        ("--labels l.npy --label-smoothing 2", "--label-smoothing: 2 is no share"),
        (
            "--labels l.npy --mask-class 4",
            "--mask-class: there is no class '4'; classes are 0 to 3",
        ),
        ("--labels l.npy --class-weights 1,2", "2 weights for the 4 classes of z.npy"),
        ("--labels l.npy --class-weights 1,2,3,4,5", "more than 4 weights for the 4 classes"),
        ("--labels l.npy --class-weights 1,2,-3,4", "the weight of class 2 is -3"),
        ("--labels l.npy --class-weights 0,0,0,0", "every weight is 0, so there is no mean"),
        ("--labels l.npy --sample-weights 1,2", "--sample-weights: has fewer rows than z.npy"),
        ("--labels l.npy --sample-weights s.csv", "s.csv:4: 'x' is not a number; a weight is"),
        ("--labels l.npy --sample-weights s.npy", "z.npy: row 3: its sample weight is -1"),
        ("--labels l.npy --sample-weights none.npy", "--sample-weights: none.npy: no such file"),
        ("--labels - --fit-temperature", "--fit-temperature: the rows are read once a temperature"),
        (
            "--labels l.npy --mask-class 0 --mask-class 1 --mask-class 2 --mask-class 3",
            "every class",
        ),
    ],
)
def test_errors(line: str, message: str) -> None:
    np.save("y.npy", softmax(LOGITS))
    Path("s.csv").write_text("weight\n1\n2\nx\n")
    np.save("s.npy", np.where(np.arange(60) == 3, -1.0, 1.0))
    outcome = run(f"softmax-cli xent z.npy {line} -o out.json")
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not Path("out.json").exists()


@pytest.mark.parametrize("option", ["--per-class", "--calibration", "--top-k-accuracy 2"])
def test_two_distributions_have_no_labels(option: str) -> None:
    outcome = run(f"softmax-cli xent --p 0.5,0.5 --q 0.5,0.5 {option}")
    assert outcome.code == 2
    assert f"{option.split()[0]}: needs labels, and two distributions have none" in outcome.err


def test_weights_of_two_distributions() -> None:
    told = report("--p 0.5,0.5 --q 0.25,0.75 --class-weights 1,2 --label-smoothing 0.5")
    P, q, w = np.array([0.5, 0.5]), np.array([0.25, 0.75]), np.array([1.0, 2.0])
    assert told["loss"] == pytest.approx(-(w * P * np.log(q)).sum())
    assert told["entropy"] == pytest.approx(-(w * P * np.log(P)).sum())
    assert told["kl_divergence"] == pytest.approx(told["loss"] - told["entropy"])
    weighted = report("--p p.csv --q q.csv --sample-weights 1,3") if _two_rows() else {}
    assert weighted["denominator"] == 4
    assert weighted["loss"] == pytest.approx((np.log(2) + 3 * np.log(4)) / 4)


def _two_rows() -> bool:
    Path("p.csv").write_text("0.5,0.5\n1,0\n")
    Path("q.csv").write_text("0.5,0.5\n0.25,0.75\n")
    return True


def test_masked_classes_of_probabilities() -> None:
    P = softmax(LOGITS)
    np.save("p.npy", P)
    np.save("logp.npy", np.log(P))
    labels = np.where(LABELS == 3, 0, LABELS)
    np.save("l.npy", labels)
    expected = cross_entropy(LOGITS[:, :3], labels)
    for line in (
        "z.npy",
        "p.npy --from probabilities",
        "logp.npy --from log-probabilities",
    ):
        told = report(f"{line} --labels l.npy --mask-class 3")
        assert told["loss"] == pytest.approx(expected, rel=1e-13)
        assert told["accuracy"] == (LOGITS[:, :3].argmax(-1) == labels).mean()
    outcome = run("softmax-cli xent 0,1 --from probabilities --labels 0 --mask-class 1")
    assert outcome.code == 2
    assert "row 0: only masked classes have a probability above 0; mask fewer" in outcome.err


def test_labels_that_are_ignored_may_be_words_and_anything_may_stand_beside_them() -> None:
    Path("z.csv").write_text("cat,dog,y\n1,2,cat\nnan,inf,unknown\n2,1,dog\n3,3,\n")
    told = report("z.csv --label-column y --ignore-label unknown --ignore-label '' --worst 4")
    assert (told["rows"], told["used"], told["ignored"]) == (4, 2, 2)
    assert told["loss"] == pytest.approx(cross_entropy([[1.0, 2.0], [2.0, 1.0]], [0, 1]))
    assert [each["row"] for each in told["worst"]] == [0, 2]
    Path("l.txt").write_text("cat unknown unknown dog")
    told = report("z.csv --id-columns y --labels l.txt --ignore-label unknown --ignore-label 1")
    assert (told["used"], told["loss"]) == (1, pytest.approx(cross_entropy([1.0, 2.0], 0)))


def test_nan_in_labels_is_never_taken_for_ignored() -> None:
    np.save("l.npy", np.where(np.arange(60) == 5, np.nan, LABELS))
    outcome = run("softmax-cli xent z.npy --labels l.npy --ignore-label -100")
    assert outcome.code == 2
    assert "l.npy: row 5: the label is missing: nan" in outcome.err


@pytest.mark.parametrize("smoothing", ["", "--label-smoothing 0.1"])
@pytest.mark.parametrize("weights", ["", "--class-weights 1,2,0,4", "--sample-weights s.npy"])
@pytest.mark.parametrize("ignored", ["", "--ignore-label 2"])
@pytest.mark.parametrize("masked", ["", "--mask-class 2"])
def test_every_form_and_source_comes_to_the_same(
    smoothing: str, weights: str, ignored: str, masked: str
) -> None:
    if masked and not ignored:
        ignored = "--ignore-label 2"
    P = softmax(LOGITS)
    np.save("p.npy", P)
    np.save("logp.npy", np.log(P))
    np.save("s.npy", np.linspace(0, 2, 60))
    options = f"{smoothing} {weights} {ignored} {masked} --reduction sum --base 2"
    expected = report(f"z.npy --labels l.npy {options}")
    for line in (
        "z.npy --targets onehot.npy",
        "p.npy --from probabilities --labels l.npy",
        "p.npy --from probabilities --targets onehot.npy",
        "logp.npy --from log-probabilities --labels l.npy",
        "z.csv --id-columns id --label-column y",
        "--p onehot.npy --q p.npy",
    ):
        told = report(
            f"{line} {options}".replace("label 2", "label south")
            if "csv" in line
            else f"{line} {options}"
        )
        assert told["loss"] == pytest.approx(expected["loss"], rel=1e-12)
        for key in ("rows", "used", "ignored", "denominator"):
            assert told[key] == expected[key]
        if not line.startswith("--p"):
            assert told["accuracy"] == expected["accuracy"]


def test_a_one_hot_row_has_a_label_whatever_its_neighbours_have() -> None:
    line = "1,2 3,1 0,1 --targets '[[1,0],[0.5,0.5],[0,1]]' --worst 3"
    told = {each["row"]: each["label"] for each in report(line)["worst"]}
    assert told == {0: 0, 1: None, 2: 1}


def test_a_histogram_of_the_losses() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    told = report("z.npy --labels l.npy --histogram")["histogram"]
    assert "histogram" not in report("z.npy --labels l.npy")
    assert sum(each["rows"] for each in told) == 60
    for each in told:
        assert each["rows"] == ((losses >= each["low"]) & (losses < each["high"])).sum()


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_table_has_the_histogram_unasked(reduction: str) -> None:
    line = f"softmax-cli xent z.npy --labels l.npy --reduction {reduction} --format table"
    shown = run(line).out.partition("\nlosses ")[2].splitlines()[2:]
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    for each in shown:
        low, to, high, rows, *_ = each.split()
        if low != "below":
            assert to == "to"
            assert int(rows) == ((losses >= float(low)) & (losses < float(high))).sum()
    assert len(shown) > 3


def test_ignored_rows_and_rows_without_a_softmax_are_in_no_bin() -> None:
    line = "1,2 2,1 nan,1 3,1 --labels 0,-1,0,0 --ignore-label -1 --on-bad-row zero --quiet"
    told = report(f"{line} --histogram")["histogram"]
    assert sum(each["rows"] for each in told) == 2


def test_a_histogram_of_few_rows_is_shown_if_it_is_asked_for() -> None:
    line = "softmax-cli xent 1,2 3,1 --labels 0,1 --format table"
    assert "losses" not in run(line).out
    assert "losses" in run(f"{line} --histogram").out
    ignored = f"{line} --ignore-label 0 --ignore-label 1 --histogram"
    assert run(ignored).code == 2


def test_a_pipe_says_that_it_shows_no_histogram() -> None:
    outcome = run("softmax-cli xent z.npy --labels l.npy --histogram")
    assert outcome.err == (
        "softmax-cli: --histogram is shown in a table and by --format json, not here\n"
    )


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
    assert "it is the same at every temperature" in outcome.err
    assert "falls" not in outcome.err
    losses = {run(f"softmax-cli xent {line} --temperature {T}").out for T in (0.125, 1, 1024)}
    assert len(losses) == 1
