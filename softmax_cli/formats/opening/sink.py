"""Opens the output of a result, and the picture of what people are shown: `--save`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink, Sinks
from softmax_cli.formats.registry import output_format
from softmax_cli.storage.filesystem import Location, refuse_the_same
from softmax_cli.storage.open_target import open_target

if TYPE_CHECKING:
    from softmax_cli.display.parts import Part

    Save = Callable[[Iterable[Part]], None]


@contextmanager
def open_sink(
    result: Result, options: WriteOptions, inputs: Sequence[Location] = ()
) -> Iterator[Sink]:
    """Open the output of a result, and its picture; the files appear if the block succeeds."""
    form = output_format(options)
    with (
        open_target(
            options.output or "-",
            inputs,
            in_place=options.in_place,
            part=options.part,
            sync=not options.no_sync,
        ) as target,
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


@contextmanager
def open_picture(options: WriteOptions, inputs: Sequence[Location] = ()) -> Iterator[Save | None]:
    """Open the file of `--save`; yield a function that draws parts into it, or None without it."""
    path = options.save
    if path is None:
        yield None
        return
    form = picture_form(path)
    outputs = [("--output", options.output or "-"), ("--save", path)]
    refuse_the_same(outputs, "names the same file as {first}", "give each its own")
    in_place, sync = options.in_place, not options.no_sync
    with open_target(path, inputs, in_place=in_place, sync=sync) as target:

        def save(parts: Iterable[Part]) -> None:
            from softmax_cli.display.rich.console import render_picture

            picture = render_picture(parts, form, options.color)
            target.write(picture.encode("utf-8", "backslashreplace"))

        yield save


def picture_form(path: str) -> str:
    """Return the form of a picture, by its suffix.

    >>> picture_form("table.svg")
    'svg'
    """
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in ("svg", "html"):
        raise UsageError(f"{path!r} is not a picture", "name a file .svg or .html", "--save")
    return form
