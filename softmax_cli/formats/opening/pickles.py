"""Pickles are never read: they run code."""

from __future__ import annotations

from pathlib import Path

from softmax_cli.errors import InputError

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt")


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
