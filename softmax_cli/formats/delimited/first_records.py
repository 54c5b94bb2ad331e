"""The first two records of a text, which decide whether it has a header."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from typing import NamedTuple

from softmax_cli.errors import InputError
from softmax_cli.formats.text.lines import Comments, read_records
from softmax_cli.storage.input import Input, no_rows, read_line, reading
from softmax_cli.storage.limits import MOST_IDLE_LINES

# The first so many bytes of the second record are enough to judge the first.
_SECOND_BYTES = 1 << 20


class FirstRecords(NamedTuple):
    """The first two records of a text.

    line    number of the first record's line
    record  the first record
    below   the second record, or the beginning of a long one; None if there is none
    read    the bytes read from the stream, from the first record on
    end     where the first record ends in them
    """

    line: int
    record: bytes
    below: bytes | None
    read: bytes
    end: int

    def rows(self, *, is_header: bool) -> tuple[bytes, int]:
        """Return the bytes of rows that were read, and the number of their first line."""
        if not is_header:
            return self.read, self.line
        return self.read[self.end :], self.line + self.record.count(b"\n") + 1


def first_records(source: Input, comments: Comments, what: str, *, anywhere: bool) -> FirstRecords:
    """Read the first two records, or raise an error that asks for `what` is missing.

    Comments above the first record are counted. With `anywhere`, more may follow below it.
    """
    line, number = _skip_comments(source, comments)
    stream = _Recorder(line, source.stream)
    # The lines below the first record are read again, and their comments counted then.
    below = Comments(comments.missing) if anywhere else None
    records = read_records(stream, source.place, comments=below, first_line=number)
    first = next(records, None)
    if first is None:
        raise InputError("is empty", f"give {what}", source.place)
    end = sum(map(len, stream.held))
    stream.left = _SECOND_BYTES
    try:
        second = next(records, (0, None))[1]
    except InputError:
        # An error in the first record comes before one in the second.
        second = None
    return FirstRecords(*first, second, b"".join(stream.held), end)


def _skip_comments(source: Input, comments: Comments) -> tuple[bytes, int]:
    """Return the first line that is no comment, and its number."""
    number = 1
    with reading(source.place):
        while True:
            line = read_line(source.stream, source.place, number)
            if not comments.take(line.removeprefix(BOM_UTF8) if number == 1 else line):
                return line, number
            number += 1
            if number > MOST_IDLE_LINES:
                raise no_rows(f"{source.place}:{number}")


class _Recorder(io.BufferedIOBase):
    """Reads a first line and then a stream, at most `left` bytes of it, and holds every line."""

    def __init__(self, first: bytes, rest: io.BufferedReader) -> None:
        self._first, self._rest = first, rest
        self.held: list[bytes] = []
        self.left: int | None = None

    def readline(self, size: int | None = -1, /) -> bytes:
        line, self._first = self._first, b""
        if not line:
            line = self._rest.readline(size if self.left is None else self.left)
        if self.left is not None:
            self.left -= len(line)
        self.held.append(line)
        return line
