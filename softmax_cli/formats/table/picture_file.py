"""The picture of what people are shown: `--save PATH.svg|.html`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.storage.filesystem import Location, refuse_the_same
from softmax_cli.storage.open_target import open_target

if TYPE_CHECKING:
    from softmax_cli.display.parts import Part

    Save = Callable[[Iterable[Part]], None]


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
    with open_target(path, inputs, in_place=options.in_place) as target:

        def save(parts: Iterable[Part]) -> None:
            from softmax_cli.display.rich.export import render_picture

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
        given = repr(path) if path in ("", "-") else path
        raise UsageError(f"{given} is not a picture", "name a file .svg or .html", "--save")
    return form
