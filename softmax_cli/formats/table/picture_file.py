"""Pictures of what a person is shown: `--save PATH.svg|.html`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.storage.filesystem import Location
from softmax_cli.storage.identity import refuse_the_same
from softmax_cli.storage.open_target import open_target

if TYPE_CHECKING:
    from softmax_cli.display.parts import Part

    Save = Callable[[Iterable[Part]], None]

_FORMS = {".svg": "svg", ".html": "html"}


@contextmanager
def picture(options: WriteOptions, inputs: Sequence[Location] = ()) -> Iterator[Save | None]:
    """Open the file of `--save`; what is yielded draws into it, and is None if there is none.

    The file appears when the block is left without an error.
    """
    path = options.save
    if path is None:
        yield None
        return
    form = picture_form(path)
    outputs = [("--output", options.output or "-"), ("--save", path)]
    refuse_the_same(outputs, "names the same file as {first}", "give each its own")
    with open_target(path, inputs, in_place=options.in_place) as target:

        def save(parts: Iterable[Part]) -> None:
            from softmax_cli.display.rich.export import picture_of

            target.write(picture_of(parts, form, options).encode("utf-8", "backslashreplace"))

        yield save


def picture_form(path: str) -> str:
    """Return the form of a picture, which its suffix names.

    >>> picture_form("table.svg")
    'svg'
    """
    form = _FORMS.get(Path(path).suffix.lower())
    if form is None:
        given = repr(path) if path in ("", "-") else path
        raise UsageError(f"{given} is no picture", "name a file .svg or .html", "--save")
    return form
