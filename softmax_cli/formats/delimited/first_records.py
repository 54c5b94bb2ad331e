"""The first two records of a text, which decide whether it has a header."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from typing import NamedTuple

from softmax_cli.errors import InputError
from softmax_cli.formats.text.records import Comments, records
from softmax_cli.storage.input import Input, no_rows, read_line, reading
from softmax_cli.storage.limits import MOST_IDLE_LINES

# So much of the second record's lines is read, and is enough to judge the first by.
_ENOUGH = 1 << 20


class FirstRecords(NamedTuple):
    """The first record of a text and the one below it, and the bytes that were read for them.

    line    the number of the first record's line
    record  the first record
    below   the second one, or the beginning of a long one; None if there is none
    read    the bytes that were read, from the first record on
    end     where the first record ends in them
    """

    line: int
    record: bytes
    below: bytes | None
    read: bytes
    end: int

    def left(self, *, is_header: bool) -> tuple[bytes, int]:
        """Return the bytes of the rows that were read, and the number of their first line."""
        if not is_header:
            return self.read, self.line
        return self.read[self.end :], self.line + self.record.count(b"\n") + 1


def first_records(source: Input, comments: Comments, what: str, *, anywhere: bool) -> FirstRecords:
    """Read the first two records; `what` is missing if there are none.

    Comments before the first are counted. They may also stand `anywhere` below it.
    """
    stream = _Recorder(source.stream)
    line = _skip_comments(source, stream, comments)
    # What lies below the first record is read again, and its comments are counted then.
    below = Comments(comments.missing) if anywhere else None
    found = records(stream, source.place, comments=below, first_line=line)
    first = next(found, None)
    if first is None:
        raise InputError("is empty", f"give {what}", source.place)
    end = sum(map(len, stream.held))
    stream.left = _ENOUGH
    try:
        second = next(found, None)
    except InputError:
        # The error of the second record comes after that of the first.
        second = None
    below_first = None if second is None else second[1]
    return FirstRecords(*first, below_first, b"".join(stream.held), end)


def _skip_comments(source: Input, stream: _Recorder, comments: Comments) -> int:
    """Skip the leading lines that begin with #; return the number of the line below them."""
    number = 1
    with reading(source.place):
        while True:
            line = read_line(stream, source.place, number)
            if not comments.take(line.removeprefix(BOM_UTF8) if number == 1 else line):
                stream.read_again(line)
                return number
            stream.held.clear()
            number += 1
            if number > MOST_IDLE_LINES:
                raise no_rows(f"{source.place}:{number}")


class _Recorder(io.BufferedIOBase):
    """Reads the lines of a stream and holds them: `left` more bytes, if that is set."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream, self._again = stream, b""
        self.held: list[bytes] = []
        self.left: int | None = None

    def readline(self, size: int | None = -1, /) -> bytes:
        line, self._again = self._again, b""
        if not line:
            line = self._stream.readline(size if self.left is None else self.left)
        if self.left is not None:
            self.left -= len(line)
        self.held.append(line)
        return line

    def read_again(self, line: bytes) -> None:
        """Return the last line once more."""
        self._again = line
        self.held.pop()
