"""What no format reads: pickles, and options that only a table of text can honour."""

from __future__ import annotations

from pathlib import Path

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt")


def refuse_table_options(form: str, options: ReadOptions, keep: ColumnRequest) -> None:
    """Refuse options that only a table with named columns can honour."""
    for option, given in (
        ("--columns", options.columns),
        ("--id-columns", options.id_columns),
        ("--label-column", keep.labels),
        ("--append", keep.every_column),
        ("--delimiter", options.delimiter),
        ("--header" if options.header else "--no-header", options.header is not None),
    ):
        if given:
            raise UsageError(f"{form} input has no such columns", "it goes with CSV", option)


def refuse_pickle(path: str) -> None:
    """Refuse a file that could only be read by running the code in it."""
    if Path(path).suffix.lower() in _PICKLES:
        name = Path(path).with_suffix(".npy").name
        load = f"torch.load('{path}', weights_only=True).numpy()"
        modules = "numpy, torch"
        if Path(path).suffix.lower() in (".pkl", ".pickle"):
            load, modules = f"pickle.load(open('{path}', 'rb'))", "numpy, pickle"
        elif Path(path).suffix.lower() == ".joblib":
            load, modules = f"joblib.load('{path}')", "joblib, numpy"
        raise InputError(
            "pickles run code and are never read here",
            f"convert it with python -c \"import {modules}; numpy.save('{name}', {load})\"",
            path,
        )
