"""The bar of a run: what it counts, whatever the order in which it is told."""

from __future__ import annotations

from softmax_cli.errors import InputError
from softmax_cli.shards.progress import ProgressWatcher
from softmax_cli.shards.tasks import OneMachine, Outcome, Task

PARTS = {"a": "a", "b 0": "b", "b 1": "b", "c": "c"}
TASKS = {name: Task(name, print, 100) for name in PARTS}


class Shown:
    """Keeps the last that a bar was told."""

    last: tuple[int, int, str, str] = (0, 0, "", "")

    def __call__(self, *told: object) -> None:
        rows, size, name, beside = told
        assert isinstance(rows, int)
        assert isinstance(size, int)
        self.last = rows, size, str(name), str(beside)


def _watched() -> tuple[ProgressWatcher, Shown]:
    shown = Shown()
    return ProgressWatcher(PARTS, shown), shown


def test_a_shard_is_done_when_its_last_part_is() -> None:
    watching, shown = _watched()
    for name, done in (("b 1", 0), ("a", 1), ("b 0", 2), ("c", 3)):
        watching.started(name)
        watching.finished(Outcome(TASKS[name], rows=10))
        assert shown.last[2] == f"{done} of 3 shards"
    assert shown.last == (40, 400, "3 of 3 shards", "")


def test_what_is_tried_again_counts_once() -> None:
    watching, shown = _watched()
    watching.started("a")
    watching.advanced("a", 7, 70)
    watching.started("a")
    assert shown.last == (0, 0, "0 of 3 shards", ", 1 retried")
    watching.advanced("a", 3, 30)
    assert shown.last[:2] == (3, 30)
    watching.finished(Outcome(TASKS["a"], rows=10))
    assert shown.last == (10, 100, "1 of 3 shards", ", 1 retried")


def test_a_shard_fails_once_and_is_never_done() -> None:
    watching, shown = _watched()
    error = InputError("is damaged", place="b")
    for name in ("b 0", "b 1"):
        watching.started(name)
        watching.finished(Outcome(TASKS[name], error=error, rows=2))
    assert shown.last[2:] == ("0 of 3 shards", ", 1 failed")


def test_one_machine_tells_as_much() -> None:
    watching, shown = _watched()
    tasks = [Task(name, lambda: None, 100) for name in PARTS]
    assert len(list(OneMachine("run").outcomes(tasks, watching))) == 4
    assert shown.last == (0, 400, "3 of 3 shards", "")
