"""The figures of a loss by name: a line of `--show`, and the table of `--report FILE.csv`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

import numpy as np

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.registry import output_format
from softmax_cli.formats.text.cells import quote
from softmax_cli.formats.text.digits import format_rows
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.storage.filesystem import Location
from softmax_cli.storage.open_target import open_target

_DELIMITERS = {"csv": b",", "tsv": b"\t", "txt": b" "}

Figure = float | int | None
# A file by its name, and the loss of its rows.
FileLoss = tuple[str, RunningLoss]


def figures(losses: RunningLoss) -> dict[str, Figure]:
    """Return the figures of a loss by their names in `--show`; None for undefined ones."""
    settings, used = losses.settings, losses.reduced.used
    has_mean = bool(losses.reduced.divisor("mean"))
    found: dict[str, Figure] = {"loss": losses.loss()}
    found["perplexity"] = losses.perplexity() if has_mean else None
    if settings.form in ("labels", "targets"):
        found["accuracy"] = losses.accuracy.share(used)
    elif settings.form == "distributions":
        found["entropy"], found["kl"] = losses.entropies() if has_mean else (None, None)
    for metric in losses.metrics:
        found |= metric.figures()
    if settings.kind == "logits":
        found["temperature"] = settings.temperature
    return found | {"rows": losses.rows, "used": used, "ignored": losses.rows - used}


def cell(figure: Figure, precision: int | None) -> bytes:
    """Return a figure as text: a count in full, other numbers in as many digits as asked for."""
    if figure is None:
        return b""
    if isinstance(figure, int):
        return b"%d" % figure
    return format_rows(np.array([[figure]]), b",", precision).rstrip(b"\n")


def table_of_files(files: Sequence[FileLoss], precision: int | None) -> bytes:
    """Return CSV: a header, and a line for each file."""
    lines: list[bytes] = []
    for name, losses in files:
        found = figures(losses)
        if not lines:
            lines.append(b",".join([b"file", *(key.encode() for key in found)]))
        cells = (cell(figure, precision) for figure in found.values())
        lines.append(b",".join([quote(name.encode("utf-8", "surrogateescape")), *cells]))
    return b"".join(line + b"\n" for line in lines)


@contextmanager
def opened_figures(
    keys: Sequence[str], write: WriteOptions, inputs: Sequence[Location]
) -> Iterator[Callable[[RunningLoss], None]]:
    """Open the output of the loss, or of these figures; yield a function that writes them."""
    form, dtype = output_format(write).name, np.dtype(np.float64)
    if not keys or (form not in _DELIMITERS and form != "jsonl"):
        result = Result("xent", "losses", 1, dtype, flat="one")
        if keys:
            result = Result("xent", "figures", len(keys), dtype, tuple(keys), leading=())
        with open_sink(result, replace(write, save=None), inputs) as sink:

            def write_array(losses: RunningLoss) -> None:
                shown = [float("nan" if each is None else each) for each in _shown(keys, losses)]
                sink.write(Block(0, np.array([shown]), str))

            yield write_array
        return
    in_place, sync = write.in_place, not write.no_sync
    with open_target(write.output or "-", inputs, in_place=in_place, sync=sync) as target:

        def write_text(losses: RunningLoss) -> None:
            shown = _shown(keys, losses)
            if form == "jsonl":
                from softmax_cli.formats.text.json_values import json_report

                found = dict(zip(keys, shown, strict=True))
                target.write(json_report(found, write.precision).encode() + b"\n")
            else:
                cells = (cell(figure, write.precision) for figure in shown)
                target.write(_DELIMITERS[form].join(cells) + b"\n")

        yield write_text


def _shown(keys: Sequence[str], losses: RunningLoss) -> list[Figure]:
    """Return the figures that --show names, or the loss alone."""
    found = figures(losses)
    if "accuracy" in keys and found["accuracy"] is None:
        problem, remedy = "soft targets have no accuracy", "give --labels, or one-hot targets"
        raise InputError(problem, remedy, "--show accuracy")
    return [found[key] for key in keys or ("loss",)]


class LossOfFiles:
    """The losses of each file of a source, merged as its blocks are committed."""

    def __init__(self, source: Source, losses: RunningLoss) -> None:
        self._source, self._empty = source, deepcopy(losses)
        self._found: dict[int, RunningLoss] = {}

    def merge(self, block: Block, found: RunningLoss) -> None:
        """Add the rows of a block; all come from one file."""
        if len(block.values):
            starts = [start for start, _ in self._source.files]
            number = max(0, int(np.searchsorted(starts, block.number(0), "right")) - 1)
            self._found.setdefault(number, deepcopy(self._empty)).merge(found)

    def files(self) -> list[FileLoss]:
        """Return each file with its loss, once all rows are read."""
        names = [name for _, name in self._source.files] or [self._source.place]
        return [(name, self._found.get(number, self._empty)) for number, name in enumerate(names)]
