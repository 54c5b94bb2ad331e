"""A progress bar on standard error."""

from __future__ import annotations

from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from softmax_cli.display.rich.names import cut_name


class ProgressBar:
    """A bar with the rows, the speed and the time left, as far as they are known."""

    def __init__(self, place: str, rows: int | None, size: int | None, started: float) -> None:
        """Show the bar of work on so many rows or bytes that started at this monotonic time."""
        self._rows, self._size, self._started = rows, size, started
        self._bar = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(min_width=16)),
            BarColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(cut_name(place), total=size or rows, status="")
        self._bar.start()

    def update(self, rows: int, size: int, name: str | None = None, extra: str = "") -> None:
        """Show how many rows and bytes are done, and `extra` after that."""
        seconds, done = monotonic() - self._started, size if self._size else rows
        status = progress_text(rows, self._rows, size, self._size, seconds) + extra
        self._bar.update(self._task, completed=done, status=status, description=name)

    def stop(self) -> None:
        self._bar.stop()


def progress_text(
    rows: int, all_rows: int | None, size: int, all_size: int | None, seconds: float
) -> str:
    """Return the text after the bar.

    >>> progress_text(1000, 4000, 5_000_000, 20_000_000, 2.0)
    '1,000 of 4,000 rows, 2.5 MB/s, 0:06 left'
    >>> progress_text(1000, None, 0, None, 2.0)
    '1,000 rows, 500 rows/s'
    >>> progress_text(1000, None, 20_000, None, 2.0)
    '1,000 rows, 20 kB, 10 kB/s'
    >>> progress_text(0, None, 900, None, 2.0)
    '900 bytes, 450 bytes/s'
    """
    counted = f"{rows:,} rows" if all_rows is None else f"{rows:,} of {all_rows:,} rows"
    seconds = max(seconds, 1e-3)
    speed = f"{_bytes(size / seconds)}/s" if size else f"{rows / seconds:,.0f} rows/s"
    if size and not all_size:
        counted = f"{counted}, {_bytes(size)}" if rows else _bytes(size)
    done, total = (size, all_size) if all_size else (rows, all_rows)
    if not total or not done:
        return f"{counted}, {speed}"
    minutes, left = divmod(round(seconds * max(0, total - done) / done), 60)
    return f"{counted}, {speed}, {minutes}:{left:02} left"


def _bytes(size: float) -> str:
    if size < 1e4:
        return f"{size:,.0f} bytes"
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
