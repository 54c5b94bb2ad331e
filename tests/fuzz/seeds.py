"""Small inputs that fuzzing begins with, and the tokens that it puts into them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import zstandard

from tests.formats.arrays.test_npy import described, headed, npy
from tests.formats.arrays.test_npz import npz
from tests.formats.arrays.test_safetensors import safetensors, with_header
from tests.fuzz.outcomes import chosen

_ROWS = np.array([[1.5, -2.0, 3e-5], [4.0, -np.inf, 6.0]])
_NUMBERS = b"1.5,-2,3e-5\n4,-inf,6\n.5,1E3,-0.0\n7,8,9"
_NAMED = b'id,a,b,y\np,1,2,dog\n"q,""r",3,4,owl\n"s\nt",5,6,"c"\n'
_LINES = b'[1.5, -2, 3e-5]\n[4, "-inf", 6]\n\n[1, 2, 3]\n'
_OBJECTS = b'{"id": "p", "a": 1, "b": 2.5}\n{"id": "q", "b": -0.0, "a": 1e3}\n'
_DOCUMENT = b'{"logits": [[1, 2.5], [3, "-inf"]], "class_names": ["a", "b"], "rows": 2}'
_FRAME = pl.DataFrame({"id": ["p", "q\u00e9", None], "a": [1.5, -0.0, 3.0], "b": [1, 2, 3]})
_LISTS = pl.DataFrame({"l": [[1.0, 2.0], [3.0, 4.0]]})
_CONFIG = b"""
[[tool.softmax-cli.gradcheck]]
name = "energy"
function = "module:energy"
grad = "module:gradient"
at = [[1, -2], [0.5, 3]]

[[tool.softmax-cli.gradcheck]]
name = "ours"
values = [1, -2.5, 3]
of = "softmax"
temperature = 2
rtol = 1e-4
quiet = true
"""


def seeds(name: str) -> list[bytes]:
    """Return what a target of this name begins with."""
    return _SEEDS[name]()


def tokens(name: str) -> list[bytes]:
    """Return what may stand in the input of a target of this name."""
    return [*_NUMBER_TOKENS, *_TOKENS.get(name, [])]


def _delimited(mark: bytes) -> list[bytes]:
    numbers, named = _NUMBERS.replace(b",", mark), _NAMED.replace(b",", mark)
    many = mark.join(b"%d.5" % number for number in range(60))
    return [
        chosen(numbers),
        chosen(b"a,l1,l2\n".replace(b",", mark) + numbers.replace(b"\n", b"\r\n") + b"\r\n\r\n"),
        chosen(b"\xef\xbb\xbf" + numbers, 2),
        chosen(named, 0, 0, 0, 2, 2),
        chosen(named, 1, 0, 1, 1, 2, 1, 2),
        chosen(numbers.replace(b"-2", b'"-2"'), 0, 0, 1, 0, 0, 0, 1, 1),
        chosen(numbers.replace(b"9", b"1e999"), 0, 0, 0, 1, 0, 0, 2),
        chosen(many + b"\n" + many),
        chosen(b"0,1,2\n1,2,3\n".replace(b",", mark)),
        chosen(b"# a comment\n1 2\n3 4\n"),
    ]


def _files(form: str) -> list[bytes]:
    found = []
    for frame in (_FRAME, _FRAME.select("a", "b"), _LISTS, _FRAME.select("a").head(0)):
        stream = io.BytesIO()
        write: Any = frame.write_parquet if form == "parquet" else frame.write_ipc
        write(stream, compression="uncompressed")
        found += [chosen(stream.getvalue(), *way) for way in ((), (0, 2), (0, 0, 3), (1, 0, 0, 1))]
    return found


def _compressed() -> list[bytes]:
    pack = zstandard.ZstdCompressor().compress
    return [
        *(chosen(body, form, way) for form, body in enumerate(_plain()) for way in (0, 1)),
        chosen(gzip.compress(_NUMBERS)),
        chosen(gzip.compress(_NUMBERS[:13]) + gzip.compress(_NUMBERS[13:])),
        chosen(pack(_NUMBERS), 0, 1),
        chosen(pack(_NUMBERS[:13]) + pack(_NUMBERS[13:]), 0, 1),
    ]


def _plain() -> list[bytes]:
    return [_NUMBERS, _DOCUMENT, _LINES, b"1 2\n3 4\n", _NUMBERS.replace(b",", b"\t"), npy(_ROWS)]


_SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "csv": lambda: _delimited(b","),
    "tsv": lambda: _delimited(b"\t"),
    "txt": lambda: _delimited(b" "),
    "json": lambda: [
        chosen(_DOCUMENT),
        chosen(b"[[1, 2], [3, 4.5e-3]]"),
        chosen(b"[1, 2, 3]"),
        chosen(b"[[[1, 2]], [[3, 4]]]", 0, 1),
        chosen(b'{"a": [[1, 2]], "logits": []}', 1),
    ],
    "jsonl": lambda: [
        chosen(_LINES),
        chosen(_LINES, 0, 0, 0, 0, 1),
        chosen(_OBJECTS, 0, 2),
        chosen(_OBJECTS.replace(b'"id"', b'"l"').replace(b'"p"', b"7").replace(b'"q"', b"8")),
        chosen(_OBJECTS, 3, 2, 0, 1, 2),
    ],
    "npy": lambda: [
        chosen(npy(_ROWS)),
        chosen(npy(np.asfortranarray(_ROWS.astype(">f4")))),
        chosen(npy(np.arange(12, dtype="<i2").reshape(2, 3, 2)), 0, 1),
        chosen(npy(_ROWS.astype("<f2").view("V2")), 1),
        chosen(npy(np.arange(3, dtype="u1"), (2, 0)), 0, 0, 1),
        chosen(npy(_ROWS, (3, 0))),
        chosen(headed(described("(1,)"))),
    ],
    "npz": lambda: [
        chosen(npz(a=_ROWS)),
        chosen(npz(a=_ROWS, b=_ROWS.astype("f4").T), 0, 0, 2),
        chosen(npz(compressed=True, a=_ROWS), 0, 1, 1),
    ],
    "safetensors": lambda: [
        chosen(safetensors(a=_ROWS)),
        chosen(safetensors(a=_ROWS.astype("f2"), b=np.arange(6).reshape(2, 3)), 0, 2),
        chosen(safetensors(b=_ROWS.astype("f2").view("V2"))),
        chosen(with_header({"a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}})),
    ],
    "parquet": lambda: _files("parquet"),
    "arrow": lambda: _files("arrow"),
    "compressed": _compressed,
    "detected": lambda: [
        *map(chosen, _plain()),
        chosen(_NUMBERS.replace(b",", b";")),
        chosen(_OBJECTS),
        chosen(npz(a=_ROWS)),
        chosen(safetensors(a=_ROWS)),
        chosen(gzip.compress(_NUMBERS)),
    ],
    "inline": lambda: [
        chosen(b"1\0-2.5\0-inf\0.5"),
        chosen(b"1,2,3\0[4,5,6]"),
        chosen(b'[[1,2],[3,"-inf"]]', 2),
        chosen(b"x.csv"),
        chosen(b"1\0\xff"),
    ],
    "labels": lambda: [
        chosen(b"2\n0\n1\n"),
        chosen(b"label\nowl\n'dog'\n\"2\"\n", 1, 3),
        chosen(b"2 0 1\n-100 1\n", 2, 1, 1),
        chosen(b'[2, "owl", 1]', 1, 0, 2),
        chosen(npy(np.array([2, 0, 1])), 2, 1, 4),
        chosen(b"0.5\n-1\n1000\nx\n", 4, 2),
        chosen(b"1 0 2 nan", 3, 2, 1),
    ],
    "weights": lambda: [
        chosen(b"1\n0.5\n2\n"),
        chosen(b"weight\n1\n.5\n"),
        chosen(b"1 0.5\n2", 1),
        chosen(b"[1, 0.5]", 2),
        chosen(npy(np.array([1.0, 0.5])), 4),
    ],
    "columns": lambda: [
        chosen(b"id logit_* 2-3,1\nid,logit_a,logit_b", 1, 1),
        chosen(b"2-3 1", 1),
        chosen(b"[a-c]? x\na,b,cd", 1, 1),
    ],
    "numbers": lambda: [
        chosen(b"-1.5e-300"),
        chosen(b"Infinity"),
        chosen(_ROWS.tobytes()),
        chosen(_ROWS.astype("f4").tobytes() * 2, 1),
        chosen(np.arange(8, dtype="f2").tobytes(), 2),
    ],
    "config": lambda: [chosen(_CONFIG), chosen(b"[tool.softmax-cli]\ngradcheck = []\n")],
}

_NUMBER_TOKENS = [b"inf", b"-Infinity", b"nan", b"1e999", b"1_0", b"0.1", b"\xef\xbb\xbf", b"\r\n"]
_JSON_TOKENS = [b'"-inf"', b'"class_names"', b'"logits"', b"null", b"true", b"[[", b"]]", b'{"a":']
_TEXT_TOKENS = [b'""', b'"\n', b"id", b"\0", b"#"]
_NPY_TOKENS = [b"'descr'", b"'<f8'", b"'|V2'", b"'fortran_order'", b"True", b"'shape'", b"()"]
_TOKENS = {
    **dict.fromkeys(("csv", "tsv", "txt", "labels", "weights", "detected"), _TEXT_TOKENS),
    **dict.fromkeys(("json", "jsonl", "inline"), _JSON_TOKENS),
    **dict.fromkeys(("npy", "npz"), _NPY_TOKENS),
    "safetensors": [b'"dtype"', b'"F16"', b'"BF16"', b'"shape"', b'"data_offsets"', b"[0,0]"],
    "config": [b"[[tool.softmax-cli.gradcheck]]", b"name", b"function", b"at", b"of", b'"""'],
}
