"""Which files make up a run, which belong together, and what their outputs are called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from softmax_cli.errors import InputError, UsageError, shorten
from softmax_cli.formats.opening.inline import unknown_token
from softmax_cli.formats.registry import FORMATS, suffix_format
from softmax_cli.formats.text.numbers import is_number
from softmax_cli.storage.compression import COMPRESSIONS
from softmax_cli.storage.filesystem import path_of, shown

_WILD = "*?["


@dataclass(frozen=True)
class Shard:
    """A file of a run, and those that go with it.

    path      the file
    name      its path below what all files of the run have in common; outputs are named so
    partners  by option, the file of the same name, or what all shards have in common
    """

    path: str
    name: str
    partners: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """All files that it is made of."""
        return [self.path, *(path for path in self.partners.values() if is_file(path))]

    @property
    def shown(self) -> str:
        """Its path as it is named here."""
        return shown(self.path)

    @property
    def stem(self) -> str:
        """Its name without the suffixes that tell the format."""
        return stem(self.name)


def planned(tokens: Sequence[str], place: str) -> list[Shard]:
    """Return the shards that paths and globs stand for, in order."""
    found: dict[str, None] = {}
    bases: list[str] = []
    for token in tokens:
        paths, base = _expanded(token, place)
        found |= dict.fromkeys(paths)
        bases.append(base)
    base = _common(bases)
    return [Shard(path, _below(base, path)) for path in found]


def with_partners(
    shards: Sequence[Shard], option: str, token: str, *, shared: bool = False
) -> list[Shard]:
    """Return the shards with the file of the same name among those that an option names.

    A directory or a glob names many. What is one file, or typed, goes with one shard, or with all
    of them if it may be `shared`.
    """
    name = option.lstrip("-")
    if path_of(token).is_directory():
        base = token.rstrip("/")
        pattern = path_of(path_of(token).literal()).join("**")
    elif any(character in token for character in _WILD) and not is_file(token):
        base, pattern = _fixed(token), token
    elif shared or len(shards) == 1:
        return [replace(each, partners={**each.partners, name: token}) for each in shards]
    else:
        problem = f"one for {len(shards)} files, and each needs its own"
        remedy = "name a directory, or a quoted glob, of files that have the same names"
        raise UsageError(problem, remedy, option)
    paths = path_of(pattern).files()
    if not paths:
        raise InputError("no files", "check the spelling", f"{option}: {token}")
    by_name = {_below(base, path): path for path in paths}
    by_stem: dict[str, list[str]] = {}
    for path in paths:
        by_stem.setdefault(stem(_below(base, path)), []).append(path)
    matched = []
    for shard in shards:
        alike = by_stem.get(shard.stem, [])
        path = by_name.get(shard.name, alike[0] if len(alike) == 1 else "")
        if not path:
            problem = f"no file in {token} goes with {shard.path}"
            if alike:
                problem = f"{' and '.join(alike[:2])} go with {shard.path}"
            raise InputError(problem, f"one named {shard.name} is needed", option)
        matched.append(replace(shard, partners={**shard.partners, name: path}))
    return matched


def outputs(shards: Sequence[Shard], directory: str, suffix: str | None) -> dict[str, str]:
    """Return the output of each shard in a directory, by its path, with another suffix or its own.

    Two that would be the same are an error.
    """
    named: dict[str, str] = {}
    of: dict[str, str] = {}
    for shard in shards:
        output = path_of(directory).join(shard.name if suffix is None else shard.stem + suffix)
        if output in of:
            problem = f"{of[output]} and {shard.path} would both be written to {output}"
            raise UsageError(problem, "give each file a name of its own", "--output-dir")
        of[output] = shard.path
        named[shard.path] = output
    return named


def suffix_of(form: str) -> str | None:
    """Return the suffix of the files of a format; None if they have none."""
    return next((each.suffixes[0] for each in FORMATS if each.name == form and each.suffixes), None)


def stem(name: str) -> str:
    """Return a name without the suffixes that tell its format.

    >>> stem("2026/part-0.csv.gz"), stem("a.b/part.7")
    ('2026/part-0', 'a.b/part.7')
    """
    if suffix_format(name) is None:
        return name
    for compression in COMPRESSIONS:
        if name.lower().endswith(compression):
            name = name[: -len(compression)]
    return os.path.splitext(name)[0]  # noqa: PTH122


def is_file(token: str) -> bool:
    """Tell whether a token names a file."""
    return path_of(token).exists() and not path_of(token).is_directory()


def _expanded(token: str, place: str) -> tuple[list[str], str]:
    """Return the files that a token stands for, and the directory that they are named below."""
    if token == "-":
        raise UsageError("is no file, and has no name", "name files", "standard input")
    if path_of(token).is_directory():
        raise InputError("is a directory", f"quote a glob such as '{token}/*.npy'", token)
    if is_file(token):
        return [token], _joined(_parts(token)[:-1])
    if any(character in token for character in _WILD) and (found := path_of(token).files()):
        return found, _fixed(token)
    if is_number(token.split(",")[0]):
        problem = "typed numbers are no file, and their output would have no name"
        raise UsageError(problem, "name files", shorten(token))
    raise unknown_token(token, place)


def _fixed(pattern: str) -> str:
    """Return the directories in front of the first name that is a pattern, or of the last name.

    >>> _fixed("logits/2026-*/part-?.npy"), _fixed("a.npy"), _fixed("/a.npy")
    ('logits', '', '/')
    """
    *directories, _ = _parts(pattern)
    wild = (at for at, part in enumerate(directories) if any(c in part for c in _WILD))
    return _joined(directories[: next(wild, len(directories))])


def _common(directories: Sequence[str]) -> str:
    shortest, *others = sorted((_parts(each) if each else [] for each in directories), key=len)
    count = 0
    while count < len(shortest) and all(o[count] == shortest[count] for o in others):
        count += 1
    return _joined(shortest[:count])


def _parts(path: str) -> list[str]:
    return path.replace(os.sep, "/").split("/")


def _joined(parts: Sequence[str]) -> str:
    return "/" if list(parts) == [""] else "/".join(parts)


def _below(base: str, path: str) -> str:
    path = path.replace(os.sep, "/")
    return path.removeprefix(base).lstrip("/") if base else path
