"""Opens the output of a result, in its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from softmax_cli.formats.model.options import PartOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink, Sinks
from softmax_cli.formats.registry import output_format
from softmax_cli.formats.table.picture_file import open_picture
from softmax_cli.storage.filesystem import Location
from softmax_cli.storage.open_target import open_target


@contextmanager
def open_sink(
    result: Result, options: WriteOptions, inputs: Sequence[Location] = ()
) -> Iterator[Sink]:
    """Open the output of a result, and its picture; the files appear if the block succeeds."""
    form = output_format(options)
    part = options.part if isinstance(options, PartOptions) else None
    with (
        open_target(options.output or "-", inputs, in_place=options.in_place, part=part) as target,
        open_picture(options, inputs) as save,
    ):
        opened = [lambda shaped: form.open_sink(shaped, target, options)]
        if save is not None:
            from softmax_cli.formats.table.sink import TableSink

            opened.append(lambda shaped: TableSink(shaped, save, options))
        sinks = [_along_axis(result, open_inner) for open_inner in opened]
        yield Sinks(sinks) if len(sinks) > 1 else sinks[0]
        for sink in sinks:
            sink.finish()


def _along_axis(result: Result, open_inner: Callable[[Result], Sink]) -> Sink:
    if result.axis == -1:
        return open_inner(result)
    from softmax_cli.formats.arrays.array import AlongAxisSink

    return AlongAxisSink(result, open_inner)
