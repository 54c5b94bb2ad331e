"""The targets: one for each reader, and what each of them must hold to.

A target takes any bytes. The first few choose options; the rest is a file, or what is typed. It
returns if the input is read, or refused in one line that names it, and if everything that can be
compared agrees: the same input read in blocks of another size, through a pipe, by NumPy, by
Polars, by the standard library. Anything else that happens is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.fuzz import array_targets, columnar_targets, stream_targets, text_targets, typed_targets

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    "csv": partial(text_targets.delimited, ".csv"),
    "tsv": partial(text_targets.delimited, ".tsv"),
    "txt": partial(text_targets.delimited, ".txt"),
    "json": text_targets.json_document,
    "jsonl": text_targets.json_lines,
    "npy": array_targets.npy,
    "npz": array_targets.npz,
    "safetensors": array_targets.safetensors,
    "parquet": partial(columnar_targets.columnar_file, "parquet"),
    "arrow": partial(columnar_targets.columnar_file, "arrow"),
    "compressed": stream_targets.compressed,
    "detected": stream_targets.detected,
    "inline": typed_targets.inline,
    "labels": typed_targets.labels_and_names,
    "weights": typed_targets.weights,
    "columns": typed_targets.columns,
    "numbers": typed_targets.numbers,
    "config": typed_targets.config,
}
