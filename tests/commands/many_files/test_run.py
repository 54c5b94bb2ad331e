"""Many files: each output as from its file alone, the loss as of one long file, nothing twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.core.kernel import choice
from softmax_cli.shards.manifest import NAME
from softmax_cli.shards.tasks import OneMachine, Task
from softmax_cli.storage.filesystem import path_of
from tests.running import Outcome, run

pytestmark = pytest.mark.fast(3)

ROWS = (40, 1, 33)
NAMES = ("a", "b", "c")
CLASSES = 5


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    whole: dict[str, list[Any]] = {"z": [], "y": [], "s": [], "t": []}
    for folder in whole:
        Path(folder).mkdir()
    Path("csv").mkdir()
    lines = []
    for name, rows in zip(NAMES, ROWS, strict=True):
        logits = rng.normal(0, 4, (rows, CLASSES))
        guessed = rng.integers(0, CLASSES, rows)
        labels = np.where(rng.random(rows) < 0.7, logits.argmax(-1), guessed)
        held = {
            "z": logits,
            "y": labels,
            "s": rng.random(rows),
            "t": rng.dirichlet([1.0] * 5, rows),
        }
        if name == "c":
            logits[7, 3], labels[7] = -np.inf, 3
            labels[8] = -100
        for folder, array in held.items():
            np.save(f"{folder}/{name}.npy", array)
            whole[folder].append(array)
        text = [
            f"r{row},{','.join(map(repr, numbers))},{'pqrst'[label % 5]}"
            for row, (numbers, label) in enumerate(zip(logits.tolist(), labels, strict=True))
        ]
        header = "id,p,q,r,s,t,y"
        lines += text
        Path(f"csv/{name}.csv").write_text("\n".join([header, *text]) + "\n")
    Path("all.csv").write_text("\n".join([header, *lines]) + "\n")
    for folder, arrays in whole.items():
        np.save(f"{folder}.npy", np.concatenate(arrays))


def _ok(line: str) -> Outcome:
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 0, outcome.err
    return outcome


def _manifest(folder: str = "out") -> Any:
    return json.loads(Path(folder, NAME).read_text())


def _refused(line: str, said: str) -> None:
    before = sorted(str(path) for path in Path().rglob("*"))
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 2
    assert said in outcome.err.splitlines()[-1]
    assert sorted(str(path) for path in Path().rglob("*")) == before


@contextmanager
def _in_ranges() -> Iterator[None]:
    """Let this process stand in for a cluster, whose tasks are ranges of rows."""

    class Engine(OneMachine):
        threads = 1

    @contextmanager
    def cluster(*_: object, **__: object) -> Iterator[OneMachine]:
        yield Engine("run")

    with mock.patch.dict(
        "sys.modules", {"softmax_cli.shards.dask.cluster": mock.Mock(cluster=cluster)}
    ):
        yield


COMMANDS = [
    "softmax",
    "softmax --log --base 2 -t 0.5",
    "softmax --dtype float32",
    "jacobian",
    "jacobian --of log-softmax --vjp 1,2,3,4,5",
    "jacobian --jvp {}",
]


@pytest.mark.parametrize("option", ["--output-header", "--precision 3"])
def test_files_are_written_again_in_another_form(option: str) -> None:
    line = "softmax 'z/*.npy' --output-dir out --format csv"
    _ok(line)
    assert "3 shards done" in _ok(f"{line} {option}").err
    shard = NAMES[0]
    _ok(f"softmax z/{shard}.npy -o one.csv {option}")
    assert Path(f"out/{shard}.csv").read_bytes() == Path("one.csv").read_bytes()
    assert "0 shards done, 3 skipped" in _ok(f"{line} {option}").err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", ["", ".csv", ".parquet"])
def test_each_output_is_that_of_its_file_alone(command: str, form: str) -> None:
    name, _, options = command.partition(" ")
    chosen = f"--format {form[1:]}" if form else ""
    err = _ok(f"{name} 'z/*.npy' {options.format('t')} --output-dir out {chosen}").err
    assert err == "softmax-cli: 3 shards done\n"
    for shard in NAMES:
        suffix = form or ".npy"
        _ok(f"{name} z/{shard}.npy {options.format(f't/{shard}.npy')} -o one{suffix}")
        assert Path(f"out/{shard}{suffix}").read_bytes() == Path(f"one{suffix}").read_bytes()
    assert [each["rows"] for each in _manifest()["shards"]] == list(ROWS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("size", [100, 700])
def test_ranges_of_rows_make_the_same_file(command: str, size: int) -> None:
    name, _, options = command.partition(" ")
    with _in_ranges():
        _ok(
            f"{name} 'z/*.npy' {options.format('t')} --output-dir out --scheduler local "
            f"--task-bytes {size}"
        )
    for shard in NAMES:
        _ok(f"{name} z/{shard}.npy {options.format(f't/{shard}.npy')} -o one.npy")
        assert Path(f"out/{shard}.npy").read_bytes() == Path("one.npy").read_bytes()
    assert sorted(path.name for path in Path("out").iterdir()) == [
        *(f"{shard}.npy" for shard in NAMES),
        NAME,
    ]


def test_subfolders_and_columns_pass_through() -> None:
    Path("csv/more").mkdir()
    Path("csv/b.csv").rename("csv/more/b.csv")
    _ok("softmax 'csv/**/*.csv' --id-columns id,y --output-dir out")
    assert Path("out/more/b.csv").read_text().startswith("id,y,p,q,r,s,t\n")
    _ok("softmax csv/a.csv --id-columns id,y -o one.csv")
    assert Path("out/a.csv").read_bytes() == Path("one.csv").read_bytes()


def test_shards_of_another_kernel_are_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "softmax 'z/*.npy' --output-dir out"
    with monkeypatch.context() as patch:
        patch.setattr(choice, "name", lambda: "another kernel")
        _ok(line)
    assert _ok(line).err == "softmax-cli: 3 shards done\n"
    assert _manifest()["options"]["kernel"] == choice.name()
    # A manifest of a version that did not know kernels.
    manifest = _manifest()
    del manifest["options"]["kernel"]
    Path("out", NAME).write_text(json.dumps(manifest))
    assert _ok(line).err == "softmax-cli: 3 shards done\n"


def test_unchanged_shards_are_skipped() -> None:
    line = "softmax 'z/*.npy' --output-dir out"
    _ok(line)
    first = {path.name: path.stat().st_ino for path in Path("out").glob("*.npy")}
    assert "0 shards done, 3 skipped" in _ok(line).err
    os.utime("z/a.npy", ns=(5, 5))
    Path("out/b.npy").unlink()
    assert "2 shards done, 1 skipped" in _ok(line).err
    assert Path("out/c.npy").stat().st_ino == first["c.npy"]
    np.save("z/d.npy", np.ones((2, 3)))
    assert "1 shard done, 3 skipped" in _ok(line).err
    assert "4 shards done" in _ok(f"{line} --fresh").err
    assert "4 shards done" in _ok(f"{line} -t 2").err
    Path("z/a.npy").rename("z/e.npy")
    assert "1 shard done, 3 skipped" in _ok(f"{line} -t 2").err
    assert "0 shards done, 1 skipped" in _ok("softmax z/b.npy -t 2 --output-dir out").err
    assert _ok(f"{line} -t 2 --quiet").err == ""


def test_unchanged_outputs_are_recognised_by_their_address() -> None:
    pytest.importorskip("fsspec")
    line = f"softmax 'z/*.npy' --output-dir file://{Path.cwd()}/out"
    _ok(line)
    assert "0 shards done, 3 skipped" in _ok(line).err


@pytest.mark.parametrize(
    "options",
    [
        "--labels {y}",
        "--labels {y} --sample-weights {s} --class-weights 1,2,3,4,5 --label-smoothing 0.1",
        "--labels {y} --worst 3 --per-class --calibration --top-k-accuracy 2 --histogram",
        "--labels {y} --reduction sum --base 2",
        "--labels {y} --reduction batch-mean --dtype float32 -t 0.3",
        "--targets {t} --worst 2 --histogram",
        "--targets {t} --from probabilities --normalize",
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_the_loss_of_all_files_is_that_of_one_long_file(options: str, cut: bool) -> None:
    ignore = "--ignore-label -100 --format json" if "labels" in options else "--format json"
    values = ("z.npy", "'z/*.npy'") if "probabilities" not in options else ("t.npy", "'t/*.npy'")
    long = _ok(f"xent {values[0]} {options.format(y='y.npy', s='s.npy', t='t.npy')} {ignore}")
    many = f"xent {values[1]} {options.format(y='y', s='s', t='t/')} {ignore} --output-dir out"
    if cut:
        with _in_ranges():
            found = _ok(f"{many} --scheduler tcp://x --task-bytes 300")
            alone = _ok(f"{many.partition(' --output')[0]} --scheduler x --task-bytes 300")
        assert alone.out == long.out
    else:
        found = _ok(many)
    assert found.out == long.out
    assert "0 shards done, 3 skipped" in (again := _ok(many)).err
    assert again.out == long.out
    os.utime("y/b.npy" if "labels" in options else "t/b.npy", ns=(5, 5))
    assert "1 shard done, 2 skipped" in (again := _ok(many)).err
    assert again.out == long.out
    loss = json.loads(long.out)["loss"]
    assert float(_manifest()["loss"]) == float(loss)


def test_columns_of_labels_and_a_fitted_temperature() -> None:
    options = (
        "--label-column y --id-columns id --fit-temperature --calibration --worst 3 --format json"
    )
    Path("csv/c.csv").unlink()
    lines = Path("all.csv").read_text().splitlines()[: 1 + sum(ROWS[:2])]
    Path("all.csv").write_text("\n".join(lines) + "\n")
    long = _ok(f"xent all.csv {options}")
    many = _ok(f"xent 'csv/*.csv' {options} --output-dir out")
    assert many.out == long.out
    assert len(json.loads(long.out)["fit_temperature"]["before"]) == 3
    again = _ok(f"xent 'csv/*.csv' {options} --output-dir out")
    assert again.out == long.out
    assert "0 shards done, 2 skipped" in again.err


def test_distributions_are_sharded_too() -> None:
    options = "--format json --normalize"
    long = _ok(f"xent --p t.npy --q t.npy {options}")
    assert _ok(f"xent --p t --q 't/*.npy' {options} --output-dir out").out == long.out


@pytest.mark.parametrize("cut", [False, True])
def test_losses_and_gradients_have_a_file_each(cut: bool) -> None:
    options = "--ignore-label -100 --reduction mean --sample-weights {}"
    _ok(f"xent z.npy --labels y.npy {options.format('s.npy')} --losses l.npy --grad g.npy")
    many = f"xent 'z/*.npy' --labels y {options.format('s')} --losses l --grad g --output-dir out"
    with _in_ranges():
        _ok(many + (" --scheduler x --task-bytes 400" if cut else ""))
    for folder in ("l", "g"):
        parts = [np.load(f"{folder}/{name}.npy") for name in NAMES]
        assert_array_equal(np.concatenate(parts), np.load(f"{folder}.npy"))
    assert sorted(path.name for path in Path("g").iterdir()) == [f"{name}.npy" for name in NAMES]
    assert "3 skipped" in _ok(many).err
    np.save("y/b.npy", [-100])
    # One row less: the divisor of the mean changes, and all gradients with it.
    assert "3 shards done" in _ok(many).err


def test_one_loss_per_row_is_a_file_per_shard() -> None:
    _ok("xent z.npy --labels y.npy --ignore-label -100 --reduction none --losses l.npy")
    outcome = _ok("xent 'z/*.npy' --labels y --ignore-label -100 --reduction none --output-dir out")
    assert outcome.out == ""
    parts = [np.load(f"out/{name}.npy") for name in NAMES]
    assert_array_equal(np.concatenate(parts), np.load("l.npy"))


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("factor", [1, 2, -1])
@pytest.mark.parametrize(
    "options",
    [
        "--labels {y} --ignore-label -100 --sample-weights {s} --label-smoothing 0.1",
        "--labels {y} --ignore-label -100 --reduction sum",
        "--upstream {t} --of softmax",
    ],
)
def test_the_verdict_is_that_of_one_long_file(options: str, factor: int, cut: bool) -> None:
    short, long = (
        options.format(y="y", s="s", t="t"),
        options.format(y="y.npy", s="s.npy", t="t.npy"),
    )
    if "upstream" in options:
        _ok("jacobian z.npy --vjp t.npy -o g.npy")
    else:
        _ok(f"xent z.npy {long} --grad g.npy")
    whole = np.load("g.npy") * factor
    np.save("g.npy", whole)
    Path("g").mkdir()
    for name, part in zip(NAMES, np.split(whole, np.cumsum(ROWS)[:-1]), strict=True):
        np.save(f"g/{name}.npy", part)
    one = run(f"softmax-cli gradcheck --logits z.npy {long} --grad g.npy --format json")
    line = (
        f"softmax-cli gradcheck --logits 'z/*.npy' {short} --grad g --format json --output-dir out"
    )
    with _in_ranges():
        many = run(line + (" --scheduler x --task-bytes 400" if cut else ""))
    again = run(line)
    assert "0 shards done, 3 skipped" in again.err
    assert one.code == many.code == again.code == (0 if factor == 1 else 1)
    for outcome in (many, again):
        (check,), (wanted,) = (json.loads(each.out)["checks"] for each in (outcome, one))
        assert check.pop("reproduce") != wanted.pop("reproduce")
        assert (check.pop("name"), check.pop("file")) == ("g", "g")
        assert wanted.pop("name") == wanted.pop("file") == "g.npy"
        assert check == wanted
        assert ("a gradient disagrees in g/a.npy, " in outcome.err) == (factor != 1)


def test_one_wrong_file_among_right_ones_is_named() -> None:
    _ok("xent 'z/*.npy' --labels y --ignore-label -100 --grad g --output-dir out")
    gradient = np.load("g/b.npy")
    np.save("g/b.npy", gradient + 1e-2)
    line = "gradcheck --logits 'z/*.npy' --labels y --ignore-label -100 --grad g --output-dir o"
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 1
    assert "a gradient disagrees in g/b.npy\n" in outcome.err
    assert json.loads(Path("o/b.json").read_text())["verdict"] == "fail"
    assert json.loads(Path("o/a.json").read_text())["verdict"] == "pass"
    np.save("g/b.npy", gradient)
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 0
    assert "1 shard done, 2 skipped" in outcome.err


class TestBadShards:
    @pytest.fixture(autouse=True)
    def _bad(self) -> None:
        Path("z/b.npy").write_bytes(Path("z/b.npy").read_bytes()[:-8])

    def test_it_ends_the_run_and_a_second_run_continues(self) -> None:
        good = np.ones((1, CLASSES))
        outcome = run("softmax-cli softmax 'z/*.npy' --output-dir out")
        assert outcome.code == 2
        last = outcome.err.splitlines()[-1]
        assert last.startswith("softmax-cli: z/b.npy: holds 160 bytes, and its header declares 168")
        assert "1 of 3 shards done; run the same command to finish" in outcome.err
        assert [each["input"] for each in _manifest()["bad"]] == ["z/b.npy"]
        np.save("z/b.npy", good)
        assert "2 shards done, 1 skipped" in _ok("softmax 'z/*.npy' --output-dir out").err
        assert _manifest()["bad"] == []

    def test_it_is_left_out_and_named_at_the_end(self) -> None:
        outcome = _ok("softmax 'z/*.npy' --output-dir out --on-bad-shard skip")
        assert outcome.err.splitlines()[-1].startswith("softmax-cli: left out: z/b.npy: holds 160")
        assert "2 shards done, 1 left out" in outcome.err
        assert sorted(path.stem for path in Path("out").glob("*.npy")) == ["a", "c"]
        quiet = _ok("softmax 'z/*.npy' --output-dir out --on-bad-shard skip --quiet")
        assert "left out: z/b.npy" in quiet.err

    def test_the_loss_is_that_of_the_others(self) -> None:
        line = "xent 'z/*.npy' --labels y --ignore-label -100 --format json"
        outcome = _ok(f"{line} --output-dir out --on-bad-shard skip")
        np.save("y/ac.npy", np.concatenate([np.load("y/a.npy"), np.load("y/c.npy")]))
        wanted = _ok("xent z/a.npy z/c.npy --labels y/ac.npy --ignore-label -100 --format json")
        assert outcome.out == wanted.out

    def test_gradcheck_without_it_is_inconclusive(self) -> None:
        Path("g").mkdir()
        np.save("y/ac.npy", np.concatenate([np.load("y/a.npy"), np.load("y/c.npy")]))
        _ok("xent z/a.npy z/c.npy --labels y/ac.npy --ignore-label -100 --grad g.npy")
        gradient = np.load("g.npy")
        np.save("g/a.npy", gradient[: ROWS[0]])
        np.save("g/b.npy", np.zeros((1, CLASSES)))
        np.save("g/c.npy", gradient[ROWS[0] :])
        outcome = run(
            "softmax-cli gradcheck --logits 'z/*.npy' --labels y --ignore-label -100 --grad g "
            "--output-dir out --on-bad-shard skip --format json"
        )
        assert outcome.code == 3
        report = json.loads(outcome.out)
        assert [(check["name"], check["verdict"]) for check in report["checks"]] == [
            ("g", "pass"),
            ("z/b.npy", "inconclusive"),
        ]

    def test_a_mean_gradient_that_counts_its_rows_is_an_error(self) -> None:
        # Its header is valid: its rows are counted.
        np.save("z/b.npy", np.full((1, CLASSES), np.nan))
        np.save("y/c.npy", np.zeros(ROWS[2], int))
        line = "xent 'z/*.npy' --labels y --on-bad-shard skip --grad g --output-dir out"
        outcome = run(f"softmax-cli {line}")
        assert outcome.code == 2
        assert "z/b.npy: is damaged, but the gradients of the other files" in outcome.err
        assert _ok(f"{line} --reduction sum").out

    def test_no_file_is_left_if_all_are_bad(self) -> None:
        _refused("softmax z/b.npy --output-dir out/deep", "z/b.npy: holds 160")
        outcome = run("softmax-cli softmax z/b.npy --output-dir out --on-bad-shard skip")
        assert outcome.code == 2
        assert "every file was left out" in outcome.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("softmax 'z/*.npy' --output-dir out -o one.npy", "--output: is one file"),
        ("softmax 'z/*.npy' --scheduler local", "add --output-dir DIR"),
        ("softmax 'z/*.npy' --fresh", "--fresh: applies only to many files"),
        ("softmax 'z/*.npy' --on-bad-shard skip", "--on-bad-shard: applies only to many files"),
        ("softmax 'z/*.npy' --task-bytes 3", "--task-bytes: applies only to many files"),
        ("softmax 'z/*.npy' --output-dir out --workers 2", "requires --scheduler local"),
        ("xent 'z/*.npy' --labels y --scheduler local --fresh", "add --output-dir"),
        ("softmax 1 2 3 --output-dir out", "numbers are not a file"),
        ("softmax --output-dir out", "is not a file, and has no name"),
        ("softmax 'z/*.npy' --output-dir out --format table", "a table is for people"),
        ("softmax 'z/*.npy' --output-dir out --format no", "no format 'no'"),
        ("softmax 'z/*.npy' z.npy.no --output-dir out", "neither a number nor a file"),
        ("softmax csv/a.csv --output-dir out/in", "'r0' is not a number"),
        ("xent 'z/*.npy' --labels y.npy --output-dir out", "one for 3 files"),
        ("xent 'z/*.npy' --labels csv/b.csv --output-dir out", "one for 3 files"),
        ("xent 'z/*.npy' --labels y --reduction none --scheduler local", "add --output-dir DIR"),
        ("xent 'z/*.npy' --labels y --grad out --losses out --output-dir o", "names the same file"),
        ("xent 'z/*.npy' --labels y --reduction none --grad o --output-dir o", "written twice"),
        ("softmax 'z/*.npy' --output-dir z --in-place", "--in-place: a second run could not tell"),
        ("xent 'z/*.npy' --labels y --grad y --output-dir out", "y/a.npy: is also an input"),
        ("jacobian 'z/*.npy' --jvp t --output-dir t", "t/a.npy: is also an input"),
        ("softmax 'z/*.npy' --output-dir z", "is also an input"),
        ("gradcheck --output-dir out", "give --logits and --grad"),
        ("gradcheck 1 2 3 --output-dir out", "give --logits and --grad"),
        ("softmax 'z/*.npy' --output-dir z.npy", "z.npy"),
    ],
)
def test_a_refused_command_leaves_no_file(line: str, said: str) -> None:
    _refused(line, said)


def test_files_with_different_columns_have_no_common_loss() -> None:
    np.save("z/b.npy", np.ones((1, 3)))
    outcome = run("softmax-cli xent 'z/*.npy' --labels y --ignore-label -100 --output-dir out")
    assert outcome.code == 2
    assert "z/b.npy: its columns are not those of z/a.npy" in outcome.err


def test_names_that_look_like_patterns() -> None:
    for folder in ("z", "y"):
        Path(folder).rename(f"{folder}[1]")
    values = " ".join(f"'z[1]/{name}.npy'" for name in NAMES)
    line = f"xent {values} --labels 'y[1]' --ignore-label -100 --output-dir 'out[*]'"
    _ok(line)
    assert "3 skipped" in _ok(line).err
    manifest = json.loads(Path("out[*]", NAME).read_text())
    Path("out[*]", NAME).write_text(json.dumps(manifest | {"ended": False}))
    left = Path(f"out[*]/.a.json.{manifest['run']}.0123456789abcdef.tmp")
    left.write_bytes(b"half")
    _ok(line)
    assert not left.exists()


def test_temporary_files_of_a_killed_run_are_removed() -> None:
    _ok("softmax 'z/*.npy' --output-dir out")
    manifest = _manifest()
    Path("out", NAME).write_text(json.dumps(manifest | {"ended": False}))
    Path(f"out/.a.npy.{manifest['run']}.0123456789abcdef.tmp").write_bytes(b"half")
    Path("out/.a.npy.000000000000.0123456789abcdef.tmp").write_bytes(b"of another")
    _ok("softmax 'z/*.npy' --output-dir out")
    assert [path.name for path in Path("out").glob(".*")] == [
        ".a.npy.000000000000.0123456789abcdef.tmp"
    ]


def test_a_run_that_finishes_no_shard_restores_the_manifest() -> None:
    _ok("softmax 'z/*.npy' --output-dir out")
    before = Path("out", NAME).read_bytes()
    Path("z/a.npy").rename("z/kept")
    Path("z/a.npy").write_bytes(b"damaged")
    assert run("softmax-cli softmax 'z/*.npy' -t 2 --output-dir out").code == 2
    assert Path("out", NAME).read_bytes() == before
    Path("z/kept").replace("z/a.npy")
    assert "3 skipped" in _ok("softmax 'z/*.npy' --output-dir out").err


def test_a_second_run_continues_an_interrupted_one() -> None:
    done: list[str] = []
    performed = OneMachine.outcomes

    def interrupted(self: OneMachine, tasks: list[Task], watcher: Any) -> Iterator[Any]:
        for outcome in performed(self, tasks, watcher):
            if done:
                raise KeyboardInterrupt
            done.append(outcome.task.name)
            yield outcome

    with mock.patch.object(OneMachine, "outcomes", interrupted):
        assert run("softmax-cli softmax 'z/*.npy' --output-dir out").code == 130
    assert [each["input"] for each in _manifest()["shards"]] == ["z/a.npy"]
    assert not _manifest()["ended"]
    assert "2 shards done, 1 skipped" in _ok("softmax 'z/*.npy' --output-dir out").err


def test_a_missing_file_has_no_status() -> None:
    assert path_of("no").status() is None


def test_a_task_that_does_not_come_back_is_a_bug_not_a_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every_outcome = OneMachine.outcomes

    def all_but_the_last(self: OneMachine, tasks: list[Task], on_progress: Any) -> Any:
        return every_outcome(self, tasks[:-1], on_progress)

    monkeypatch.setattr(OneMachine, "outcomes", all_but_the_last)
    outcome = run("softmax-cli xent 'z/*.npy' --labels y --ignore-label -100 --output-dir out")
    assert outcome.code == 2
    assert not outcome.out
    assert "a task did not come back; this is a bug in the program" in outcome.err


def test_the_next_run_can_tell_all_temporary_files_of_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    monkeypatch.setattr(
        "softmax_cli.storage.open_target.register_temp", lambda path: made.append(path.name)
    )
    line = "softmax-cli xent 'z/*.npy' --labels y --ignore-label -100 --output-dir out"
    assert run(f"{line} --losses losses").code == 0
    names = {name for name in made if f".{_manifest()['run']}." in name}
    assert names == set(made)
    assert {name.split(".")[1] for name in names} >= {"a", "softmax-cli-manifest"}
