"""Which files make up a run, which of them belong together, and how their outputs are named."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile

from softmax_cli.errors import InputError, SoftmaxCliError, UsageError, shorten
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.opening.file_key import file_of, is_pattern, matches
from softmax_cli.formats.opening.inline import unknown_token
from softmax_cli.formats.opening.source import open_source
from softmax_cli.formats.registry import suffix_format
from softmax_cli.formats.text.numbers import is_number
from softmax_cli.storage.compression import COMPRESSIONS
from softmax_cli.storage.filesystem import is_remote, path_of

# Formats in which the position of a row does not depend on the rows before it.
_FIXED_SIZE = ("npy", "safetensors")


@dataclass(frozen=True)
class Shard:
    """A file of a run, and the files that belong to it.

    name      its path below the directory that all files of the run share; names its outputs
    partners  by option, the file of the same name, or the token that all shards share
    outputs   by kind, the files that its tasks write
    report    the file that is written once its tasks are done
    """

    path: str
    name: str
    partners: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    report: str | None = None

    @property
    def files(self) -> list[str]:
        """All files that are read for it."""
        return [file_of(token) for token in (self.path, *self.partners.values()) if is_file(token)]

    @property
    def written(self) -> list[str]:
        """All files that are written for it."""
        return [*self.outputs.values(), *([] if self.report is None else [self.report])]


def plan_shards(tokens: Sequence[str], place: str) -> list[Shard]:
    """Return the shards that paths and globs name, in order."""
    paths: dict[str, None] = {}
    directories: list[list[str]] = []
    for token in tokens:
        if token == "-":
            raise UsageError("is not a file, and has no name", "name files", "standard input")
        if path_of(token).is_directory():
            raise InputError("is a directory", f"quote a glob such as '{token}/*.npy'", token)
        if is_file(token):
            paths[token] = None
            directories.append(_parts(file_of(token))[:-1])
        elif found := matches(token, only_files=True):
            paths |= dict.fromkeys(found)
            directories.append(_fixed_directories(token))
        elif is_number(token.split(",")[0]):
            problem = "numbers are not a file, and their output would have no name"
            raise UsageError(problem, "name files", shorten(token))
        else:
            raise unknown_token(token, place)
    common = takewhile(lambda parts: len(set(parts)) == 1, zip(*directories, strict=False))
    base = "/".join(parts[0] for parts in common)
    return [Shard(path, _below(base, file_of(path))) for path in paths]


def with_partners(
    shards: Sequence[Shard], option: str, token: str, *, shared: bool = False
) -> list[Shard]:
    """Return the shards, each with its partner among the files that an option names.

    A directory or a glob names many files, which are matched by name, or else by stem. One file,
    or a typed row, is the partner of a single shard, or of all shards if it may be shared.
    """
    if path_of(token).is_directory():
        base, pattern = token.rstrip("/"), path_of(path_of(token).literal()).join("**")
    elif is_pattern(token) and not is_file(token):
        base, pattern = "/".join(_fixed_directories(token)), token
    elif shared or len(shards) == 1:
        return [_with_partner(shard, option, token) for shard in shards]
    else:
        problem = f"one for {len(shards)} files, but each needs its own"
        remedy = "name a directory, or a quoted glob, of files with the same names"
        raise UsageError(problem, remedy, option)
    by_name = {_below(base, file_of(path)): path for path in matches(pattern, only_files=True)}
    if not by_name:
        raise InputError("no files", "check the spelling", f"{option}: {token}")
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name, path in by_name.items():
        by_stem[stem(name)].append(path)
    matched = []
    for shard in shards:
        same_stem = by_stem[stem(shard.name)]
        found = [by_name[shard.name]] if shard.name in by_name else same_stem
        if len(found) != 1:
            problem = f"no file in {token} goes with {shard.path}"
            if found:
                problem = f"{' and '.join(found[:2])} go with {shard.path}"
            raise InputError(problem, f"give a file named {shard.name}", option)
        matched.append(_with_partner(shard, option, found[0]))
    return matched


def _with_partner(shard: Shard, option: str, token: str) -> Shard:
    return replace(shard, partners={**shard.partners, option.lstrip("-"): token})


def output_paths(
    shards: Sequence[Shard], directory: str, name_of: Callable[[Shard], str]
) -> list[str]:
    """Return the output of each shard in a directory; two that are the same are an error."""
    inputs: dict[str, str] = {}
    for shard in shards:
        output = path_of(directory).join(name_of(shard))
        if output in inputs:
            problem = f"{inputs[output]} and {shard.path} would both be written to {output}"
            raise UsageError(problem, "give each file its own name", "--output-dir")
        inputs[output] = shard.path
    return list(inputs)


def row_ranges(shard: Shard, read: ReadOptions, task_bytes: int) -> list[RowRange]:
    """Return the independent ranges of rows of a large shard's tasks; none if it is one task."""
    path = file_of(shard.path)
    status = path_of(path).status()
    if status is None or status["size"] <= task_bytes:
        return []
    # Whether -1 is class 0 of --binary depends on all labels of a file.
    if (
        read.on_bad_row == "skip"
        or read.axis != -1
        or read.binary
        or path.lower().endswith(COMPRESSIONS)
    ):
        return []
    # Several processes cannot write one file of an object store.
    outputs = shard.outputs.values()
    formats = [None if is_remote(path) else suffix_format(path) for path in outputs]
    if not all(form is not None and form.name in _FIXED_SIZE for form in formats):
        return []
    # The task of the shard reports errors.
    with suppress(SoftmaxCliError), open_source([shard.path], read) as source:
        if (rows := source.rows) is not None and rows > 1:
            count = min(rows, -(-status["size"] // task_bytes))
            edges = [rows * number // count for number in range(count + 1)]
            return [RowRange(*edge, rows) for edge in pairwise(edges)]
    return []


def stem(name: str) -> str:
    """Return a name without the suffixes of its format.

    >>> stem("2026/part-0.csv.gz"), stem("a.b/part.7")
    ('2026/part-0', 'a.b/part.7')
    """
    if suffix_format(name) is None:
        return name
    if name.lower().endswith(COMPRESSIONS):
        name = os.path.splitext(name)[0]  # noqa: PTH122
    return os.path.splitext(name)[0]  # noqa: PTH122


def is_file(token: str) -> bool:
    """Return whether a token names a file."""
    path = path_of(file_of(token))
    return path.exists() and not path.is_directory()


def _parts(path: str) -> list[str]:
    return path.replace(os.sep, "/").split("/")


def _fixed_directories(pattern: str) -> list[str]:
    """Return the directories before the first part that is a pattern.

    >>> _fixed_directories("logits/2026-*/part-?.npy"), _fixed_directories("a.npy")
    (['logits'], [])
    """
    return list(takewhile(lambda part: not is_pattern(part), _parts(pattern)[:-1]))


def _below(base: str, path: str) -> str:
    return path.replace(os.sep, "/").removeprefix(base).lstrip("/")
