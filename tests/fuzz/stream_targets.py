"""Streams: pipes whose content tells the format, and compression, against the plain file."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from contextlib import closing
from typing import Any
from unittest import mock

import zstandard

from softmax_cli.formats.model.options import ColumnRequest
from softmax_cli.formats.registry import detected_format
from softmax_cli.storage.input import open_input
from tests.formats.rows import Trickle
from tests.fuzz.outcomes import Choices, Outcome, agree, alike, file, outcome

_SUFFIXES = (".csv", ".json", ".jsonl", ".txt", ".tsv", ".npy")
# What a bomb comes to is not for a fuzzer to find.
_MOST_BYTES = 1 << 20
_GZIP, _ZST = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def piped(
    data: bytes | io.RawIOBase, request: ColumnRequest = ColumnRequest(), **options: Any
) -> Outcome:
    """Read standard input."""
    raw = io.BytesIO(data) if isinstance(data, bytes) else io.BufferedReader(data)
    with mock.patch.object(sys, "stdin", mock.Mock(buffer=raw)):
        return outcome("-", request, **options)


def detected(data: bytes) -> None:
    """Read what has no suffix."""
    choices = Choices(data)
    body = choices.rest
    found = piped(body)
    agree(piped(Trickle(body, choices.one((1, 7, 1000)))), found, "a few bytes at a time")
    in_file = outcome(file("x", body))
    if not body.startswith((b"PAR1", b"ARROW1", _GZIP, _ZST)):
        form = _form("x") if body else "csv"
        if form != "safetensors":
            alike(in_file, found, "in a file")
        if form != "csv":
            alike(outcome(file(f"x.{form}", body)), in_file, f"with the suffix of {form}")


def _form(name: str) -> str:
    with closing(open_input(name)) as source:
        return detected_format("-", source).name


def compressed(data: bytes) -> None:
    """Read what may be compressed, and what certainly is."""
    choices = Choices(data)
    suffix = choices.one(_SUFFIXES)
    ending = choices.one((".gz", ".zst"))
    body = choices.rest
    plain = outcome(file(f"x{suffix}", body))
    pack = gzip.compress if ending == ".gz" else zstandard.ZstdCompressor().compress
    if not body.startswith((_GZIP, _ZST)):
        parts = [body, b""] if choices.one((False, True)) else [body[:9], body[9:]]
        joined = b"".join(pack(part) for part in parts)
        alike(outcome(file(f"x{suffix}{ending}", joined)), plain, "compressed")
        return
    unpacked = _unpacked(body)
    if unpacked is not None and len(unpacked) == _MOST_BYTES:
        return
    found = outcome(file(f"x{suffix}{ending}", body))
    if unpacked is None:
        assert found.line, f"damaged, and read as {found!r}"
    elif "cut short or damaged" not in found.line:
        alike(found, outcome(file(f"y{suffix}", unpacked)), "decompressed")
    else:
        assert not body.startswith(_GZIP), found


def _unpacked(data: bytes) -> bytes | None:
    """Return the first bytes of the content; None if it is damaged. A cut of zst goes unseen."""
    if data.startswith(_GZIP):
        stream: Any = gzip.GzipFile(fileobj=io.BytesIO(data))
    else:
        stream = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    content = b""
    try:
        while len(content) < _MOST_BYTES and (more := stream.read(_MOST_BYTES - len(content))):
            content += more
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return None
    return content
