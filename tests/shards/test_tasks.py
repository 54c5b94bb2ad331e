"""Progress counts the same, in whatever order tasks end."""

from __future__ import annotations

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.shards.tasks import OneMachine, Outcome, Progress, Task

FIRST, SECOND = RowRange(0, 10, 20), RowRange(10, 20, 20)
SHARDS = [("a", None), ("b", FIRST), ("b", SECOND), ("c", None)]
TASKS = {(shard, rows): Task(shard, print, 100, rows) for shard, rows in SHARDS}


class Shown:
    """Keeps what a progress bar showed last."""

    last: tuple[int, int, str, str] = (0, 0, "", "")

    def __call__(self, rows: int, size: int, name: str, extra: str) -> None:
        self.last = rows, size, name, extra


def _progress() -> tuple[Progress, Shown]:
    shown = Shown()
    return Progress(list(TASKS.values()), shown), shown


def test_a_shard_is_done_when_its_last_task_is() -> None:
    progress, shown = _progress()
    for key, done in ((("b", SECOND), 0), (("a", None), 1), (("b", FIRST), 2), (("c", None), 3)):
        task = TASKS[key]
        progress.advance(task.name, None, 0)
        assert progress.finish(Outcome(task, rows=10)) == (key != ("b", SECOND))
        assert shown.last[2] == f"{done} of 3 shards"
    assert shown.last == (40, 400, "3 of 3 shards", "")


def test_a_retried_task_counts_once() -> None:
    progress, shown = _progress()
    progress.advance("a", None, 0)
    progress.advance("a", 7, 70)
    progress.advance("a", None, 0)
    assert shown.last == (0, 0, "0 of 3 shards", ", 1 retried")
    progress.advance("a", 3, 30)
    assert shown.last[:2] == (3, 30)
    progress.finish(Outcome(TASKS["a", None], rows=10))
    assert shown.last == (10, 100, "1 of 3 shards", ", 1 retried")


def test_a_shard_fails_once_and_is_never_done() -> None:
    progress, shown = _progress()
    error = InputError("is damaged", place="b")
    for rows in (FIRST, SECOND):
        task = TASKS["b", rows]
        progress.advance(task.name, None, 0)
        assert not progress.finish(Outcome(task, error=error, rows=2))
    assert shown.last[2:] == ("0 of 3 shards", ", 1 failed")


def test_one_machine_reports_its_progress() -> None:
    progress, shown = _progress()
    tasks = [Task(shard, lambda: None, 100, rows) for shard, rows in SHARDS]
    outcomes = list(OneMachine("run").outcomes(tasks, progress.advance))
    assert [progress.finish(outcome) for outcome in outcomes] == [True, False, True, True]
    assert shown.last == (0, 400, "3 of 3 shards", "")
