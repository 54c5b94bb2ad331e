"""Detects the format of input without a suffix from its first bytes."""

from __future__ import annotations

import json
from codecs import BOM_UTF8

from softmax_cli.errors import InputError
from softmax_cli.formats.text.delimiter import detected_delimiter
from softmax_cli.storage.input import Input


def detected_format(source: Input) -> str:
    """Return the name of the format that the first bytes indicate."""
    head = source.head()
    if not head:
        raise InputError("is empty", "give numbers, CSV, JSON or NPY", source.place)
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    # The size of a header, below 2^40, and its first bytes.
    if head[5:8] == b"\0\0\0" and head[8:9] == b"{":
        return "safetensors"
    text = head.removeprefix(BOM_UTF8).lstrip()
    if text.startswith((b"[", b"{")):
        return _kind_of_json(text)
    lines = text.decode("utf-8", errors="replace").split("\n")
    first_line = next((line for line in lines if not line.startswith("#")), "")
    return "tsv" if (found := detected_delimiter(first_line)) == "\t" else "csv" if found else "txt"


def _kind_of_json(text: bytes) -> str:
    """Return jsonl if the first line is a whole row: another follows, or it is a flat object."""
    line, _, rest = text.partition(b"\n")
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return "json"
    is_flat = isinstance(first, dict) and not any(
        isinstance(value, (list, dict)) for value in first.values()
    )
    return "jsonl" if rest.strip() or is_flat else "json"
