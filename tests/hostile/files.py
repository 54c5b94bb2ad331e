"""Hostile and broken files: what is in each, made when a test asks for it."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

from tests.formats.arrays.test_npy import described, headed, npy
from tests.formats.arrays.test_npz import npz, zipped
from tests.formats.arrays.test_safetensors import with_header

TABLE = np.arange(12.0).reshape(4, 3)
MIB = 1 << 20


def _gzip_bomb(unit: bytes, mebibytes: int) -> bytes:
    """Return what grows to so many mebibytes: members of one each, one after the other."""
    return gzip.compress(unit * (MIB // len(unit)), mtime=0) * mebibytes


def _zip_of(header: str, size: int, data: bytes = bytes(1000)) -> bytes:
    """Return a zip of one small array, of which the directory says that it has this size."""
    content = headed(header, data)
    packed, name = zlib.compress(content)[2:-4], b"a.npy"
    sizes = struct.pack("<HHQQ", 1, 16, size, len(packed))
    common = (0, 8, 0, 0x21, zlib.crc32(content), 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(sizes))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, *common) + name + sizes
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, *common, 0, 0, 0, 0, 0)
    entry += name + sizes
    end = (0, 0, 1, 1, len(entry), len(local) + len(packed), 0)
    return local + packed + entry + struct.pack("<IHHHHIIH", 0x06054B50, *end)


def _zip_flagged(at: int, value: int) -> bytes:
    """Return a zip of an array with one byte of both its headers changed."""
    data = bytearray(npz(a=TABLE))
    data[at] = data[data.find(b"PK\x01\x02") + at + 2] = value
    return bytes(data)


def _tensors(*entries: tuple[list[int], int, int], data: bytes, dtype: str = "F64") -> bytes:
    header = {
        f"t{number}": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
        for number, (shape, begin, end) in enumerate(entries)
    }
    return with_header(header, data)


def _objects(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(array, object), allow_pickle=True)
    return stream.getvalue()


def _deflated(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    return stream.getvalue()


_WHOLE = npy(TABLE)
_SHAPES = (
    *("(-1, 3)", f"({2**62},)", f"({2**32}, {2**32})", "(3037000500, 3037000500)", "(1.0, 3)"),
    *("[4, 3]", "('a',)", "(True, 3)", "(5, 3)", "(3, 3)", "(0, 0)", "()", "(4, 3, 0)", "(4,) * 9"),
)
_LIES = {f"shape {shape}": headed(described(shape), TABLE.tobytes()) for shape in _SHAPES}

NPY: dict[str, bytes] = {
    **{f"cut at {size}": _WHOLE[:size] for size in (0, 1, 6, 8, 9, 10, 60, 127, 128, 130, 223)},
    "a byte after its end": _WHOLE + b"\0",
    "another after its end": _WHOLE * 2,
    "a header of megabytes": headed(described("(4, 3)") + " " * 5 * MIB, TABLE.tobytes(), 2),
    "a header of gigabytes": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    **_LIES,
    "a header that is code": headed(described("__import__('os').mkdir('made')")),
    "a deep header": headed("(" * 30_000),
    "objects": _objects([1, "a"]),
    "records": npy(np.zeros(3, [("a", "f8"), ("b", "i4")])),
    "complex numbers": npy(np.zeros(3, complex)),
    "words": npy(np.array(["a", "b"])),
    "dates": npy(np.zeros(3, "M8[s]")),
    "version 4": b"\x93NUMPY\x04\0" + _WHOLE[8:],
    "text": b"1,2,3\n",
}

NPZ: dict[str, bytes] = {
    "terabytes of rows": _zip_of(described(f"({5 * 10**9}, 1000)", "'|u1'"), 5 * 10**12 + 80),
    "terabytes in a row": _zip_of(described(f"({10**12},)", "'|u1'"), 10**12 + 80),
    "terabytes by columns": _zip_of(described(f"({10**9}, 1000)", "'|u1'", "True"), 10**12 + 80),
    "terabytes in a header": zipped(a=headed(described(f"({2**37}, 8)"))),
    "no member": zipped(),
    "several members": npz(a=TABLE, b=TABLE),
    "a member that is no array": zipped(a=b"hello"),
    "a wrong checksum": npz(a=TABLE).replace(TABLE.tobytes(), (TABLE + 1).tobytes()),
    "a password": _zip_flagged(6, 1),
    "an unknown method": _zip_flagged(8, 99),
    "objects": zipped(a=_objects([1, "a"])),
    **{f"cut at {size}": npz(a=TABLE)[:size] for size in (1, 30, 200, 300)},
}

TEXT: dict[str, tuple[str, bytes]] = {
    "a NUL": ("x.csv", b"1,2\n1,\0\n"),
    "nothing but NULs": ("x.csv", bytes(1000)),
    "invalid UTF-8 in a header": ("x.csv", b"a,b\xe9\n1,2\n"),
    "invalid UTF-8 in a row": ("x.csv", b"a,b\n1,\xe9\n"),
    "UTF-16": ("x.csv", "a,b\n1,2\n".encode("utf-16")),
    "UTF-16 without a mark": ("x.csv", "1,2\n3,4\n".encode("utf-16-le")),
    "UTF-32": ("x.csv", "a,b\n1,2\n".encode("utf-32")),
    "a row too long": ("x.csv", b"1,2\n1,2,3\n"),
    "a row too short": ("x.csv", b"1,2,3\n1,2\n"),
    "a row too short far below": ("x.csv", b"1,2,3\n" * 1000 + b"1,2\n"),
    "only a header": ("x.csv", b"a,b,c\n"),
    "only a header, unfinished": ("x.csv", b"a,b,c"),
    "nothing": ("x.csv", b""),
    "blank lines": ("x.csv", b"\n\n\n"),
    "a quote left open": ("x.csv", b'1,2\n"1,2\n3,4\n'),
    "a quote left open in the first line": ("x.csv", b'"a,b\n1,2\n'),
    "a partly numeric header": ("x.csv", b"a,2,c\n1,2,3\n"),
    "decimal commas": ("x.csv", b"1,5;2,5\n3,5;4,5\n"),
    "decimal commas below a header": ("x.csv", b"a;b\n1,5;2,5\n"),
    "carriage returns alone": ("x.csv", b"1,2\r3,4\r"),
    "a word": ("x.csv", b"1,2\n3,abc\n"),
    "an underscore": ("x.csv", b"1,2\n1_0,2\n"),
    "hexadecimal": ("x.csv", b"1,2\n0x10,2\n"),
    "beyond float64": ("x.csv", b"1,2\n1e999,2\n"),
    "an escape sequence": ("x.csv", b"1,2\n\x1b[31mred,2\n"),
    "an empty line": ("x.csv", b"1,2\n\n3,4\n"),
    "lists of different lengths": ("x.json", b"[[1, 2], [1, 2, 3]]"),
    "a number among lists": ("x.json", b"[[1, 2], 3]"),
    "a word in JSON": ("x.json", b'[[1, "a"]]'),
    "numbers as strings": ("x.json", b'[["1", "2"]]'),
    "null": ("x.json", b"[[1, null]]"),
    "true": ("x.json", b"[[1, true]]"),
    "NaN": ("x.json", b"[[1, NaN]]"),
    "no list": ("x.json", b'"abc"'),
    "no class": ("x.json", b"[[]]"),
    "an object without arrays": ("x.json", b'{"x": 1, "y": {}}'),
    "more behind the document": ("x.json", b"[[1, 2]] x"),
    "a name twice": ("x.json", b'{"logits": [[1, 2]], "logits": [[3, 4]]}'),
    "half a character": ("x.json", b'{"class_names": ["\\ud800", "b"], "logits": [[1, 2]]}'),
    "thousands of digits": ("x.json", b"[[1, " + b"9" * 5000 + b"]]"),
    "JSON nested deep": ("x.json", b"[" * 100_000),
    "JSON nested deep and closed": ("x.json", b"[" * 100_000 + b"1" + b"]" * 100_000),
    "objects nested deep": ("x.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "JSON in UTF-16": ("x.json", "[[1, 2]]".encode("utf-16")),
    "lines nested deep": ("x.jsonl", b"[" * 100_000 + b"]" * 100_000),
    "a line too long": ("x.jsonl", b"[1, 2]\n[1, 2, 3]\n"),
    "a key that is missing": ("x.jsonl", b'{"a": 1, "b": 2}\n{"a": 1}\n'),
    "a key twice": ("x.jsonl", b'{"a": 1, "b": 2}\n{"a": 1, "b": 2, "a": 3}\n'),
    "no line": ("x.jsonl", b""),
}

_CSV = b"1,2\n" * 100_000
_GZIP = gzip.compress(_CSV, mtime=0)
COMPRESSED: dict[str, tuple[str, bytes]] = {
    **{f"gzip cut at {size}": ("x.csv.gz", _GZIP[:size]) for size in (2, 5, 11, 200)},
    "gzip without its last byte": ("x.csv.gz", _GZIP[:-1]),
    "gzip with a wrong checksum": ("x.csv.gz", _GZIP[:-6] + b"xx" + _GZIP[-4:]),
    "gzip with more behind it": ("x.csv.gz", _GZIP + b"junk"),
    "gzip in gzip": ("x.csv.gz", gzip.compress(gzip.compress(b"1,2\n"))),
}

_TWO_NUMBERS = [2]
SAFETENSORS: dict[str, bytes] = {
    "overlapping": _tensors((_TWO_NUMBERS, 0, 16), (_TWO_NUMBERS, 8, 24), data=bytes(24)),
    "a gap": _tensors((_TWO_NUMBERS, 0, 16), ([1], 24, 32), data=bytes(32)),
    "cut short": _tensors((_TWO_NUMBERS, 0, 16), data=bytes(8)),
    "bytes after the end": _tensors((_TWO_NUMBERS, 0, 16), data=bytes(24)),
    "another shape": _tensors(([3], 0, 16), data=bytes(16)),
    "a negative shape": _tensors(([-2], 0, 16), data=bytes(16)),
    "beyond 2^63": _tensors(([2**61], 0, 2**64), data=bytes(16)),
    "several": _tensors((_TWO_NUMBERS, 0, 16), ([1], 16, 24), data=bytes(24)),
    "an unknown dtype": _tensors(([2], 0, 2), data=bytes(2), dtype="F8_E4M3"),
    "a header of exabytes": (2**63).to_bytes(8, "little") + b"{",
    "a header of megabytes": with_header(b"{" + b" " * 5 * MIB + b"}"),
    "no JSON": with_header(b'{"a":'),
    "a deep header": with_header(b'{"a":' + b"[" * 100_000),
    "nothing": b"",
}

# What would take memory or time, were it believed. Made when it is needed: these are large.
COSTLY: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a cell of 100 MB": ("x.csv", lambda: b"1,2\n" + b"1" * 100_000_000 + b",2\n"),
    "a first cell of 100 MB": ("x.csv", lambda: b"1" * 100_000_000 + b",2\n"),
    "a quoted cell of 100 MB": ("x.csv", lambda: b'1,2\n1,"' + b"x" * 100_000_000 + b'"\n'),
    "a cell of newlines": ("x.csv", lambda: b'1,2\n1,"' + b"x\n" * 50_000_000 + b'"\n'),
    "a cell of 10 MB": ("x.csv", lambda: b"1,2\n" + b"1" * 10_000_000 + b",2\n"),
    "a word of 10 MB": ("x.csv", lambda: b"1,2\n1," + b"x" * 10_000_000 + b"\n"),
    "a word of 100 MB in text": ("x.txt", lambda: b"1 2\n" + b"1" * 100_000_000 + b" 2\n"),
    "a number of 100 MB in a line": ("x.jsonl", lambda: b"[1,2]\n[" + b"1" * 100_000_000 + b",2]"),
    "a number of 100 MB": ("x.json", lambda: b"[[1,2],[" + b"1" * 100_000_000 + b",2]]"),
    "a string of 100 MB": ("x.json", lambda: b'[[1,2],["' + b"1" * 100_000_000 + b'",2]]'),
    "50 million brackets": ("x.json", lambda: b"[" * 50_000_000),
    "a million columns": ("x.csv", lambda: b"1," * 999_999 + b"1\n"),
    "a million columns below two": ("x.csv", lambda: b"1,2\n" + b"1," * 999_999 + b"1\n"),
    "a million columns of text": ("x.txt", lambda: b"1 " * 1_000_000 + b"\n"),
    "a million numbers in a line": ("x.jsonl", lambda: b"[" + b"1," * 999_999 + b"1]\n"),
    "commas": ("x.csv", lambda: b"," * 50_000_000),
    "quotes": ("x.csv", lambda: b"1,2\n" + b'"' * 10_000_000 + b"\n"),
    "NULs": ("x.csv", lambda: bytes(100_000_000)),
    "blank lines": ("x.csv", lambda: b"1,2\n" + b"\n" * 20_000_000 + b"1,2\n"),
    "blank lines first": ("x.csv", lambda: b"\n" * 20_000_000 + b"1,2\n"),
    "comments": ("x.txt", lambda: b"#\n" * 10_000_000),
    "a quote left open": ("x.csv", lambda: b'1,"' + b"1,2\n" * 25_000_000),
    "a gzip bomb of NULs": ("x.csv.gz", lambda: _gzip_bomb(b"\0", 1000)),
    "a gzip bomb of digits": ("x.csv.gz", lambda: _gzip_bomb(b"1", 1000)),
    "a gzip bomb of newlines": ("x.csv.gz", lambda: _gzip_bomb(b"\n", 1000)),
    "a gzip bomb of comments": ("x.txt.gz", lambda: _gzip_bomb(b"# \n\n", 1000)),
    "a gzip bomb of brackets": ("x.json.gz", lambda: _gzip_bomb(b"[", 1000)),
    "a gzip bomb of numbers": ("x.json.gz", lambda: gzip.compress(b"[") + _gzip_bomb(b"1,", 99)),
    "a gzip bomb of lines": ("x.jsonl.gz", lambda: _gzip_bomb(b" ", 1000)),
    "a zip of 400 MB by columns": (
        "x.npz",
        lambda: _deflated(headed(described("(2, 200000000)", "'|u1'", "True"), bytes(400_000_000))),
    ),
    "30,000 members": ("x.npz", lambda: zipped(**{f"k{n}": b"" for n in range(30_000)})),
    "200,000 tensors": (
        "x.safetensors",
        lambda: _tensors(*[([0], 0, 0)] * 200_000, data=b"", dtype="U8"),
    ),
    "terabytes of rows": ("x.npz", lambda: NPZ["terabytes of rows"]),
    "terabytes in a row": ("x.npz", lambda: NPZ["terabytes in a row"]),
    "nested deep": ("x.json", lambda: TEXT["JSON nested deep"][1]),
    "a document of tokens": ("x.json", lambda: json.dumps([[0] * 10] * 10).encode()[:-1]),
}
