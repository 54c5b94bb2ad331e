"""JSON that is not strict."""

from __future__ import annotations

import pytest

from tests.formats.rows import read, refusal, saved


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.json", b"[" * 33 + b"1" + b"]" * 33, "too deep"),
        ("x.json", b"[" * 900 + b"1" + b"]" * 900, "too deep"),
        ("x.json", b"[[1, -1e999]]", "beyond the range"),
        ("x.jsonl", b"[1, 1e999]", "beyond the range"),
    ],
)
def test_a_document_that_is_not_strict_is_refused(name: str, data: bytes, message: str) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(name)
    assert message in line


@pytest.mark.parametrize("text", ['{"id": "\\ud800", "a": 1}', '{"\\uDC00": "x", "id": 1}'])
def test_half_a_character_is_no_text(text: str) -> None:
    line = refusal(saved("x.jsonl", text), id_columns=["1"])
    assert line.startswith("x.jsonl:1: ")
    assert "half a character" in line


def test_two_halves_are_a_character() -> None:
    back = read(saved("x.jsonl", '{"id": "\\ud83d\\ude00", "a": 1}'), id_columns=["id"])
    assert back.ids == [("\U0001f600".encode(),)]


def test_a_number_of_a_page_is_quoted_by_its_beginning() -> None:
    assert len(refusal(saved("x.json", "[[1, 1." + "5" * 50_000 + "e999]]"))) < 200
