"""Records, comments and line ends."""

from __future__ import annotations

import pytest

from tests.formats.rows import read, refusal, saved, warnings_of


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.csv", b"1\r2\r", "carriage return"),
        ("x.csv", b'a,"b"\r1,2\n', "carriage return"),
        ("x.txt", b'a "\r" b\n1 2 3\n', "carriage return"),
    ],
)
def test_a_carriage_return_alone_is_refused(name: str, data: bytes, message: str) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(name)
    assert message in line


def test_a_comment_above_commas_is_counted() -> None:
    back = read(saved("x", "# numpy\n1,2\n"))
    assert back.values.tolist() == [[1, 2]]
    assert warnings_of(back.source) == ["x: ignored 1 line that begins with #"]
