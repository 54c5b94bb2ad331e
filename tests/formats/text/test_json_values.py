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
    assert "half of a surrogate pair" in line


def test_two_halves_are_a_character() -> None:
    back = read(saved("x.jsonl", '{"id": "\\ud83d\\ude00", "a": 1}'), id_columns=["id"])
    assert back.ids == [("\U0001f600".encode(),)]


def test_a_number_of_a_page_is_quoted_by_its_beginning() -> None:
    assert len(refusal(saved("x.json", "[[1, 1." + "5" * 50_000 + "e999]]"))) < 200


NUMBERS = "numbers are written like 1, -0.5 or 1e-3"
QUOTES = "names and texts are in double quotes"


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("[1, 2,]", "1:", "delete the comma"),
        ("[1,, 2]", "1:4", "delete the comma, or write null for a missing value"),
        ('{"a":}', "1:6", "delete the comma before it, or write null for a missing value"),
        ("[nan, 1]", "1:2", "write NaN or null"),
        ("[1, -inf]", "1:5", 'write "inf" or "-inf"'),
        ("[None]", "1:2", "write null"),
        ("[True]", "1:2", "write true and false in lower case"),
        ("{'a': 1}", "1:2", QUOTES),
        ("{a: 1}", "1:2", QUOTES),
        ("[+1]", "1:2", NUMBERS),
        ("[.5]", "1:2", NUMBERS),
        ("[1.]", "1:3", NUMBERS),
        ("[01]", "1:3", NUMBERS),
        ("[0x1F]", "1:3", NUMBERS),
        ("[\u22121]", "1:2", NUMBERS),
        ("[1 2]", "1:4", "separate entries with commas"),
        ("[1; 2]", "1:3", "separate entries with commas"),
        ("[1, 2}", "1:6", "[ is closed by ], and { by }"),
        ("[1,\n 2", "2:3", "it is cut short"),
        ("// rows\n[1]", "1:1", "JSON has no comments: delete it"),
        ("[1, # one\n2]", "1:5", "JSON has no comments: delete it"),
        (
            "[[1, 2]] [[3, 4]]",
            "1:10",
            "write one array of all rows, or each row on a line of its own",
        ),
        ('{\n"a": 1}\n{\n"a": 2}', "3:1", "write one array of all rows, or each row on a line of"),
        ("[1, 2]\n[3, 4]", "2:1", "--input-format jsonl reads one row per line"),
        ('["a\nb"]', "1:4", "in texts, write a backslash as "),
        (r'["\q"]', "1:3", "in texts, write a backslash as "),
        ('["a', "1:2", "close it with a double quote"),
        ("[abc]", "1:2", 'lists are written [1, 2] and objects {"a": 1}'),
    ],
)
def test_how_json_is_often_written_wrongly(text: str, place: str, remedy: str) -> None:
    line = refusal(saved("x.json", text), input_format="json")
    assert line.startswith(f"x.json:{place}"), line
    assert ": is not JSON: " in line
    assert f"; {remedy}" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": [1], "a": [2]}', "an object has the name 'a' twice; rename or delete one"),
        ("[1e999]", '1e999 is beyond the range of float64; write "inf" if it is infinite'),
        (f"[{'9' * 5000}]", 'a number is beyond the range of float64; write "inf" if it is inf'),
        ("[" * 100_000, "nested too deep; rows are lists of numbers"),
    ],
)
def test_what_has_no_place(text: str, words: str) -> None:
    assert refusal(saved("x.json", text)).startswith(f"x.json: is not JSON: {words}")
