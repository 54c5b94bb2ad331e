"""Finds the format of an input from its suffix or its first bytes."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

from softmax_cli.errors import InputError
from softmax_cli.formats.registry import BY_NAME, Format, suffix_format
from softmax_cli.storage.input import Input

_STARTS = {b"\x93NUMPY": "npy", b"PK\x03\x04": "npz", b"PAR1": "parquet", b"ARROW1": "arrow"}
# How pickles are loaded, and with which modules, by suffix.
_TORCH = "torch.load('{path}', weights_only=True).numpy()", "numpy, torch"
_PICKLE = "pickle.load(open('{path}', 'rb'))", "numpy, pickle"
_PICKLES = {
    **dict.fromkeys((".pt", ".pth", ".ckpt"), _TORCH),
    **dict.fromkeys((".pkl", ".pickle"), _PICKLE),
    ".joblib": ("joblib.load('{path}')", "joblib, numpy"),
}


def refuse_pickle(path: str) -> None:
    """Refuse a file that could only be read by running the code in it."""
    if found := _PICKLES.get(Path(path).suffix.lower()):
        load, modules = found
        save = f"numpy.save('{Path(path).with_suffix('.npy').name}', {load.format(path=path)})"
        remedy = f'convert it with python -c "import {modules}; {save}"'
        raise InputError("pickles run code and are never read here", remedy, path)


def detected_format(path: str, source: Input) -> Format:
    """Return the format of the suffix; for standard input or another suffix, of the first bytes."""
    return (path != "-" and suffix_format(path)) or BY_NAME[_format_of_bytes(source)]


def _format_of_bytes(source: Input) -> str:
    head = source.head()
    if not head:
        raise InputError("is empty", "give numbers, CSV, JSON or NPY", source.place)
    for start, form in _STARTS.items():
        if head.startswith(start):
            return form
    # The size of a header, below 2^40, and its first bytes.
    if head[5:8] == b"\0\0\0" and head[8:9] == b"{":
        return "safetensors"
    text = head.removeprefix(BOM_UTF8).lstrip()
    if text.startswith((b"[", b"{")):
        return _kind_of_json(text)
    from softmax_cli.formats.text.cells import detected_delimiter

    lines = text.decode("utf-8", errors="replace").split("\n")
    first_line = next((line for line in lines if not line.startswith("#")), "")
    return "tsv" if (found := detected_delimiter(first_line)) == "\t" else "csv" if found else "txt"


def _kind_of_json(text: bytes) -> str:
    """Return jsonl if the first line is a whole row: another follows, or it is a flat object."""
    import json

    line, _, rest = text.partition(b"\n")
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return "json"
    is_flat = isinstance(first, dict) and not any(
        isinstance(value, (list, dict)) for value in first.values()
    )
    return "jsonl" if rest.strip() or is_flat else "json"
