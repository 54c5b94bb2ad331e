"""Writes the files of the folder `numpy`: arrays, as NumPy, SciPy, h5py and safetensors store them.

pip install numpy==2.4.6 scipy==1.17.1 h5py==3.16.0 safetensors==0.8.0
python -m tests.peers.make.numpy_files
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.peers.rows import FILES, LABELS, LOGITS, NAMES, SPECIES


def main(folder: Path = FILES / "numpy") -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    logits, labels = np.array(LOGITS), np.array(LABELS)
    onehot = np.eye(len(NAMES), dtype=bool)[labels]
    np.savetxt(folder / "savetxt.txt", logits)
    np.savetxt(folder / "header.csv", logits, delimiter=",", header=",".join(NAMES))
    np.savetxt(folder / "comment.txt", logits, fmt="%.3f", header="made by train.py\nepoch 3")
    np.savetxt(folder / "names.csv", logits, delimiter=",", header=",".join(NAMES), comments="")
    np.savetxt(folder / "labels.txt", labels, fmt="%d")
    np.savetxt(folder / "labels_as_floats.txt", labels)
    arrays = {
        "logits": logits,
        "logits32": logits.astype(">f4"),
        "fortran": np.asfortranarray(logits),
        "labels": labels,
        "labels_uint8": labels.astype(np.uint8),
        "labels_float": labels.astype(float),
        "labels_from_1": labels + 1,
        "labels_column": labels[:, None],
        "words": np.array(SPECIES),
        "bytes": np.array(SPECIES, "S"),
        "onehot": onehot,
        "binary": labels == 2,
        "classes": np.array(NAMES),
        "structured": np.array(list(LOGITS), dtype=[(name, "f8") for name in NAMES]),
        "complex": logits.astype(complex),
        "objects": np.array(SPECIES, dtype=object),
        "scalar": np.array(1.5),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.savez(folder / "both.npz", logits=logits, labels=labels)
    np.savez_compressed(folder / "compressed.npz", logits=logits, labels=np.array(SPECIES))
    np.savez(folder / "one.npz", logits)
    scipy_io: Any = import_module("scipy.io")
    scipy_io.savemat(folder / "scipy.mat", {"logits": logits, "labels": labels + 1})
    h5py: Any = import_module("h5py")
    with h5py.File(folder / "logits.h5", "w") as file:
        file.create_dataset("logits", data=logits, track_times=False)
    safetensors: Any = import_module("safetensors.numpy")
    safetensors.save_file({"logits": logits, "labels": labels}, folder / "both.safetensors")


if __name__ == "__main__":
    main()
