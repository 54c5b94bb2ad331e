"""Whatever is at the address of a scheduler is recognised soon, with a one-line error."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import LocalCluster
from distributed.versions import VersionMismatchWarning

from softmax_cli import __version__
from softmax_cli.core.kernel.choice import name
from softmax_cli.errors import SoftmaxCliError, UsageError
from softmax_cli.shards.dask import cluster as module
from softmax_cli.shards.dask import worker
from softmax_cli.shards.dask.cluster import cluster
from softmax_cli.shards.dask.scheduler import find_scheduler
from softmax_cli.shards.tasks import Task
from tests.running import run

PATIENCE = 60


@pytest.fixture(scope="module")
def scheduler() -> Iterator[LocalCluster]:
    """A scheduler with one worker, in this process: no test here stops them."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
    ) as local:
        yield local


def _refusal(address: str, patience: float = PATIENCE) -> str:
    with pytest.raises(SoftmaxCliError) as caught:
        find_scheduler(address, patience)
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "--scheduler: not an address: missing port number"),
        ("LOCAL", "LOCAL: not an address: missing port number"),
        ("tcp://127.0.0.1:x", "tcp://127.0.0.1:x: not an address"),
        ("nonsense://1", "nonsense://1: not an address: unknown address scheme"),
        (
            "tls://127.0.0.1:9",
            "tls://127.0.0.1:9: Dask is not set up for this protocol: TLS expects",
        ),
        ("absent.json", "absent.json: cannot be read: No such file"),
    ],
)
def test_an_invalid_address(address: str, said: str) -> None:
    assert _refusal(address).startswith(said)


def test_the_program_ends_at_once_with_one_line(tmp_path: Path) -> None:
    """Dask's client would wait, and print a traceback."""
    (tmp_path / "a.csv").write_text("1,2\n")
    line = f"softmax-cli softmax {tmp_path}/a.csv --output-dir {tmp_path}/out --scheduler nowhere"
    outcome = run(line)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("softmax-cli: nowhere: not an address")


def test_a_worker_is_not_a_scheduler(scheduler: LocalCluster) -> None:
    (worker,) = scheduler.workers.values()
    assert _refusal(worker.address) == (
        f"{worker.address}: is a worker; give the address of its scheduler"
    )


def test_a_file_may_name_the_scheduler(scheduler: LocalCluster, tmp_path: Path) -> None:
    address = scheduler.scheduler_address
    path = tmp_path / "scheduler.json"
    path.write_text(f'{{"type": "Scheduler", "address": "{address}"}}')
    assert find_scheduler(str(path), PATIENCE) == find_scheduler(address, PATIENCE) == address
    path.write_text('["tcp://127.0.0.1:9"]')
    assert "names no scheduler" in _refusal(str(path))


@pytest.mark.slow
def test_another_program_that_listens_is_not_a_scheduler() -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            said = _refusal(f"127.0.0.1:{server.server_port}", 1)
        finally:
            server.shutdown()
            thread.join()
    assert "no scheduler answers" in said


@pytest.mark.slow
def test_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 2)
    with (
        LocalCluster(
            n_workers=0,
            processes=False,
            protocol="tcp",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        ) as empty,
        pytest.raises(SoftmaxCliError, match="has no workers; start some with 'dask worker"),
        cluster(empty.scheduler_address, "run", workers=None),
    ):
        pass


def _old() -> tuple[str, str]:
    return "0.0.1", "NumPy"


def _other_kernel() -> tuple[str, str]:
    return __version__, "another kernel"


def _no_kernel() -> tuple[str, str]:
    raise UsageError("there is no kernel 'cuda'", "unset it", "SOFTMAX_CLI_KERNELS")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (_old, "has softmax-cli 0.0.1 (NumPy), but this is VERSION; install the same version"),
        (
            _other_kernel,
            f"has softmax-cli {__version__} (another kernel), but this is VERSION; install it "
            "with a C compiler everywhere, or set SOFTMAX_CLI_KERNELS=numpy",
        ),
        (_no_kernel, "a worker: SOFTMAX_CLI_KERNELS: there is no kernel 'cuda'; unset it"),
    ],
)
def test_workers_of_another_build(
    scheduler: LocalCluster, monkeypatch: pytest.MonkeyPatch, build: Any, said: str
) -> None:
    monkeypatch.setattr(module, "build", build)
    with (
        pytest.raises(SoftmaxCliError) as caught,
        cluster(scheduler.scheduler_address, "run", workers=None),
    ):
        pass
    assert said.replace("VERSION", f"{__version__} ({name()})") in str(caught.value)
    (worker,) = scheduler.workers.values()
    assert str(caught.value).startswith(("a worker: ", f"{worker.address}: "))


def test_warnings_of_dask_are_not_shown(
    scheduler: LocalCluster, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def differing(*_: Any) -> dict[str, str]:
        return {"warning": "Mismatched versions found", "error": ""}

    monkeypatch.setattr("distributed.versions.error_message", differing)
    warnings.simplefilter("always")
    with cluster(scheduler.scheduler_address, "run", workers=None) as engine:
        assert engine.slots == 1
    assert not [each for each in recwarn if issubclass(each.category, VersionMismatchWarning)]


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = "needs distributed; install this program with its extra `dask`, see docs/cluster.md"
    with pytest.raises(SoftmaxCliError, match=said), cluster("local", "run", workers=None):
        pass


def test_giving_up_stops_all_workers_though_one_cannot_be_reached() -> None:
    asked: list[tuple[str, str]] = []

    def client_run(function: Any, run: str, patience: float, on_error: str = "raise") -> None:
        assert (run, patience) == ("run", 5)
        asked.append((function.__name__, on_error))
        if on_error != "ignore":
            raise OSError("a worker died")

    client: Any = SimpleNamespace(status="running", cancel=lambda *_, **__: None, run=client_run)
    engine = module.Cluster(client, "tcp://somewhere", "run", 1)
    engine._under_way["future"] = Task("a", print)
    engine.give_up()
    assert asked == [("stop", "ignore")]
    assert not engine._under_way


def test_a_worker_waits_for_its_stopped_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(worker._running, "run", 1)
    started = monotonic()
    asyncio.run(worker.stop("run", 0.2))
    assert monotonic() - started >= 0.2
    assert "run" in worker._stopped
    worker._stopped.discard("run")
    asyncio.run(worker.stop("other", PATIENCE))
    assert monotonic() - started < PATIENCE
    worker._stopped.discard("other")
