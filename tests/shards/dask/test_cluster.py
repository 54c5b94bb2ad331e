"""A cluster of processes has the results of one machine, whichever process dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from softmax_cli.errors import InputError, SoftmaxCliError
from softmax_cli.shards.dask.cluster import Cluster, cluster
from softmax_cli.shards.manifest import NAME
from softmax_cli.shards.tasks import OneMachine, Task
from tests.running import ROOT, run
from tests.shards import work

PATIENCE = 60


class Recorded:
    """Keeps the progress of tasks."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.rows: dict[str, int] = {}

    def __call__(self, name: str, rows: int | None, size: int) -> None:  # noqa: ARG002
        if rows is None:
            self.started.append(name)
        else:
            self.rows[name] = rows


def _ignored(name: str, rows: int | None, size: int) -> None:
    """Ignore the progress of a task."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with cluster("local", "tests", workers=2) as engine:
        yield engine


@pytest.fixture
def engine(shared: Cluster) -> Cluster:
    """Return an engine for its own run, once killed workers are replaced."""
    engine = Cluster(shared._client, "tcp://somewhere", os.urandom(6).hex(), 1)
    _until(lambda: engine.slots == 2)
    return engine


def _until(holds: Callable[[], object]) -> None:
    end = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < end
        sleep(0.05)


def _shards_done() -> int:
    manifest = Path("out", NAME)
    return len(json.loads(manifest.read_text())["shards"]) if manifest.exists() else 0


def _squares(count: int) -> list[Task]:
    return [Task(f"{n}.npy", partial(work.square, n), 8) for n in range(count)]


def test_its_results_are_those_of_one_machine(engine: Cluster) -> None:
    recorded = Recorded()
    found = {each.task.name: each for each in engine.outcomes(_squares(20), recorded)}
    alone = {each.task.name: each for each in OneMachine("run").outcomes(_squares(20), _ignored)}
    assert {name: (each.result, each.notes) for name, each in found.items()} == {
        name: (each.result, each.notes) for name, each in alone.items()
    }
    assert sorted(recorded.started) == sorted(found)
    assert engine.slots == 2


@pytest.mark.slow
def test_only_a_few_tasks_are_sent_ahead(engine: Cluster) -> None:
    begun: list[str] = []

    def tasks() -> Iterator[Task]:
        for task in _squares(200):
            begun.append(task.name)
            yield task

    for done, _ in enumerate(engine.outcomes(tasks(), _ignored)):
        assert len(begun) - done <= 8
    assert len(begun) == done + 1 == 200


def test_the_error_of_a_file_is_an_outcome(engine: Cluster) -> None:
    tasks = [Task("a", partial(work.bad, "a")), *_squares(2)]
    found = {each.task.name: each for each in engine.outcomes(tasks, _ignored)}
    assert isinstance(found["a"].error, InputError)
    assert str(found["a"].error) == "a:3: holds words; give numbers"
    assert found["a"].is_bad_shard
    assert found["1.npy"].result == 1


def test_a_full_disk_is_not_a_bad_shard(engine: Cluster) -> None:
    (outcome,) = engine.outcomes([Task("a", work.full)], _ignored)
    assert str(outcome.error) == "out.npy: No space left on device"
    assert not outcome.is_bad_shard


def test_an_unexpected_error_names_the_task(engine: Cluster) -> None:
    with pytest.raises(SoftmaxCliError, match=r"a: KeyError: 'lost'"):
        list(engine.outcomes([Task("a", work.wrong)], _ignored))


def test_another_worker_performs_the_task_of_a_killed_one(engine: Cluster, tmp_path: Path) -> None:
    def kill() -> None:
        _until((tmp_path / "worker").exists)
        os.kill(int((tmp_path / "worker").read_text()), signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    recorded = Recorded()
    tasks = [Task("a", partial(work.wait_once, str(tmp_path))), *_squares(6)]
    found = {each.task.name: each for each in engine.outcomes(tasks, recorded)}
    killer.join()
    assert found["a"].error is None
    assert found["a"].result == int((tmp_path / "worker").read_text())
    assert found["5.npy"].result == 25
    assert recorded.started.count("a") == 2


@pytest.mark.slow
def test_only_the_task_that_kills_every_worker_is_bad(engine: Cluster) -> None:
    tasks = [*_squares(3), Task("deadly.parquet", work.die), *_squares(12)[3:]]
    found = {each.task.name: each for each in engine.outcomes(tasks, _ignored)}
    deadly = found.pop("deadly.parquet")
    assert str(deadly.error).startswith("deadly.parquet: crashes every worker that opens it")
    assert deadly.is_bad_shard
    assert [found[f"{n}.npy"].result for n in range(12)] == [n * n for n in range(12)]


def test_giving_up_leaves_no_unfinished_file(engine: Cluster, tmp_path: Path) -> None:
    tasks = [
        Task(name, partial(work.write_without_end, str(tmp_path / name)))
        for name in ("a", "b", "c")
    ]
    recorded = Recorded()

    def interrupt(name: str, rows: int | None, size: int) -> None:
        recorded(name, rows, size)
        if len(recorded.rows) == 2:
            raise KeyboardInterrupt

    outcomes = engine.outcomes([*_squares(1), *tasks], interrupt)
    assert next(outcomes).result == 0
    _until(lambda: len(list(tmp_path.glob(".*.tmp"))) == 2)
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    engine.give_up()
    assert set(recorded.rows) <= {"a", "b", "c"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "no scheduler answers; start one with 'dask scheduler'"),
        ("nonsense://1", "nonsense://1"),
    ],
)
@pytest.mark.fast(1)
def test_no_scheduler(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softmax_cli.shards.dask.cluster._PATIENCE_SECONDS", 1)
    with pytest.raises(SoftmaxCliError, match=said), cluster(address, "run", workers=None):
        pass


def _workers_of(program: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(program.pid).children(recursive=True)
    return [each for each in found if "spawn_main" in " ".join(each.cmdline())]


@pytest.mark.slow
class TestThroughTheProgram:
    """The whole program, in processes that are killed."""

    SHARDS = 24

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("z").mkdir()
        Path("t").mkdir()
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 5, (200_000, 10))
        for shard in range(self.SHARDS):
            np.save(f"z/{shard:02}.npy", logits[shard:])
        # The last one takes longer: what is killed must still be running.
        np.save(f"z/{self.SHARDS - 1:02}.npy", np.tile(logits, (6, 1)))

    @contextmanager
    def _running(self, scheduler: str) -> Iterator[subprocess.Popen[str]]:
        line = ["softmax", "z/*.npy", "--output-dir", "out", "--scheduler", scheduler]
        program = subprocess.Popen(
            [sys.executable, "-P", "-m", "softmax_cli", *line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Files that a killed process leaves stay in the folder of the test.
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(Path("t").absolute())},
            start_new_session=True,
        )
        try:
            _until(lambda: _shards_done() > 1 or program.poll() is not None)
            assert program.poll() is None, program.communicate()
            yield program
        finally:
            children = (
                psutil.Process(program.pid).children(recursive=True)
                if (program.poll() is None)
                else []
            )
            program.kill()
            program.communicate()
            psutil.wait_procs(children, PATIENCE)

    def _check_the_rest(self) -> None:
        """Check that a second run continues, with the same bytes as one machine."""
        before = {path: path.stat().st_mtime_ns for path in Path("out").glob("*.npy")}
        outcome = run("softmax-cli softmax 'z/*.npy' --output-dir out")
        assert outcome.code == 0
        assert "skipped" in outcome.err
        kept = [path for path, at in before.items() if path.stat().st_mtime_ns == at]
        assert kept
        assert sorted(path.name for path in Path("out").iterdir()) == [
            *(f"{shard:02}.npy" for shard in range(self.SHARDS)),
            NAME,
        ]
        for shard in (0, self.SHARDS - 1):
            run(f"softmax-cli softmax z/{shard:02}.npy -o one.npy")
            assert Path("one.npy").read_bytes() == Path(f"out/{shard:02}.npy").read_bytes()

    def test_a_worker_is_killed(self) -> None:
        with self._running("local") as program:
            _until(lambda: bool(_workers_of(program)))
            _workers_of(program)[0].kill()
            out, err = program.communicate(timeout=PATIENCE)
        assert (program.returncode, out, err) == (
            0,
            "",
            f"softmax-cli: {self.SHARDS} shards done\n",
        )
        self._check_the_rest()

    def test_ctrl_c_ends_all_processes(self) -> None:
        with self._running("local") as program:
            os.killpg(program.pid, signal.SIGINT)
            out, err = program.communicate(timeout=PATIENCE)
        assert program.returncode == 130
        assert out == ""
        assert err.endswith("run the same command to finish\n")
        assert err.count("\n") == 1
        assert list(Path("out").glob(".*")) == []
        self._check_the_rest()

    def test_the_program_is_killed(self) -> None:
        with self._running("local") as program:
            workers = psutil.Process(program.pid).children(recursive=True)
            program.kill()
            _, alive = psutil.wait_procs(workers, PATIENCE)
            assert alive == []
        self._check_the_rest()

    def test_the_scheduler_is_killed(self) -> None:
        script = (
            "from distributed import LocalCluster\n"
            "from threading import Event\n"
            "if __name__ == '__main__':\n"
            "    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)\n"
            "    print(local.scheduler_address, flush=True)\n"
            "    Event().wait()\n"
        )
        Path("scheduler.py").write_text(script)
        with subprocess.Popen(
            [sys.executable, "../scheduler.py"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            # Workers of a cluster have another working directory.
            cwd="z",
        ) as scheduler:
            assert scheduler.stdout is not None
            address = scheduler.stdout.readline().strip()
            with self._running(address) as program:
                scheduler.kill()
                out, err = program.communicate(timeout=PATIENCE)
        assert program.returncode == 2
        assert out == ""
        first, last = err.splitlines()
        assert first.endswith(f"of {self.SHARDS} shards done; run the same command to finish")
        assert last == (
            f"softmax-cli: {address}: the scheduler went away; run again once it is back"
        )
        self._check_the_rest()
