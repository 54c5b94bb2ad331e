"""Opens the output of a result, in its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

        def open_all(result: Result) -> Sink:
            sinks = [form.open_sink(result, target, options)]
            if save is not None:
                from softmax_cli.formats.table.sink import TableSink

                sinks.append(TableSink(result, save, options))
            return Sinks(sinks)

        if result.axis == -1:
            sink = open_all(result)
        else:
            from softmax_cli.formats.arrays.array import AlongAxisSink

            sink = AlongAxisSink(result, open_all)
        yield sink
        sink.finish()
