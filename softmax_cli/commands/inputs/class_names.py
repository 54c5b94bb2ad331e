"""Class names: given by `--class-names`, or column names without `--class-prefix`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from softmax_cli.errors import InputError, ShapeError, UsageError, join_names, shorten
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.sinks import id_keys
from softmax_cli.formats.opening.file_key import file_of, split_key
from softmax_cli.formats.registry import suffix_format
from softmax_cli.formats.text.cell_kinds import are_numbered
from softmax_cli.formats.text.cells import cell_splitter, cell_text
from softmax_cli.formats.text.json_values import parse_json
from softmax_cli.storage.filesystem import location, path_of
from softmax_cli.storage.input import open_input, read_whole
from softmax_cli.storage.limits import LONGEST_LINE

_GIVE = "give one name for each class, a,b,c, or a file with a name on each line"


def without_prefix(source: Source, prefixes: Sequence[str], *, is_needed: bool = False) -> Source:
    """Return the source with the prefix of --class-prefix stripped from its class names.

    is_needed  refuse a prefix that no name has
    """
    names, option = source.class_names, "--class-prefix"
    for prefix in prefixes if names else ():
        assert names is not None
        others = [name for name in names if not name.startswith(prefix)]
        if not others and prefix not in names:
            return replace(source, class_names=tuple(name.removeprefix(prefix) for name in names))
        if len(others) < len(names):
            other = shorten((others or [prefix])[0])
            problem = f"the column {other!r} of {source.place} does not begin with {prefix!r}"
            if not others:
                problem = f"nothing is left of the column {other!r} of {source.place}"
            remedy = "--columns or --id-columns leaves out what is no class"
            raise UsageError(problem, remedy, option)
    if prefixes and is_needed:
        shown = " or ".join(map(repr, prefixes))
        problem = f"no column of {source.place} begins with {shown}"
        remedy = f"the columns are {join_names(names)}" if names else "its columns have no names"
        raise UsageError(problem, remedy, option)
    return source


def with_names(source: Source, token: str | None) -> Source:
    """Return the source with the names that --class-names gives to classes that have none."""
    if token is None:
        return source
    names, option = names_given(token), "--class-names"
    found = source.class_names
    if len(names) != source.classes:
        held = "1 name" if len(names) == 1 else f"{len(names)} names"
        are = "the class" if source.classes == 1 else f"the {source.classes} classes"
        raise ShapeError(f"{held} for {are} of {source.place}", _GIVE, option)
    # pandas numbers columns that have no names.
    if found is not None and found != names and not are_numbered(found):
        problem = f"{source.place} already names its columns {join_names(found[:8])}"
        raise UsageError(problem, "leave the option out", option)
    ids = tuple(id_keys(source.id_names))
    paths = source.paths
    if path_of(file_of(token)).is_file():
        paths = (*paths, location(file_of(token)))
    return replace(source, class_names=names, id_names=ids, paths=paths)


def names_given(token: str) -> tuple[str, ...]:
    """Return the names that --class-names gives: those in a file, or those typed.

    A file has a name on each line, names separated by commas on one line, or JSON: a list, or an
    object by class number, which may be `id2label` of another object, or its KEY.

    >>> names_given('cat,"a,b"'), names_given('["cat", "dog"]')
    (('cat', 'a,b'), ('cat', 'dog'))
    """
    place, text = "--class-names", token
    path, key = split_key(token)
    if path_of(path).is_file():
        place, text = path, _text_of(path)
    elif "," not in token and ("/" in token or suffix_format(token) is not None):
        raise InputError("no such file", "check the spelling", f"{place}: {shorten(token)}")
    names = [name.strip() for name in _names(text, key, place)]
    if not names:
        raise InputError("holds no name", _GIVE, place)
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(f"name {number} is empty", _GIVE, place)
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise InputError(f"{shorten(name)!r} names {times} classes", "give each its own", place)
    return tuple(names)


def _names(text: str, key: str | None, place: str) -> list[str]:
    if text.lstrip().startswith(("[", "{")):
        try:
            listed = parse_json(text)
        except ValueError as error:
            raise InputError(f"is not JSON: {error}", _GIVE, place) from None
        if isinstance(listed, dict):
            # Hugging Face models have such an object in config.json.
            listed = listed.get(key or "id2label", listed if key is None else None)
        if isinstance(listed, dict):
            listed = [listed.get(str(number)) for number in range(len(listed))]
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            remedy = 'write ["cat", "dog"], or {"0": "cat", "1": "dog"}'
            raise InputError("holds something that is not a class name", remedy, place)
        return [*listed]
    lines = text.rstrip().splitlines()
    if len(lines) > 1:
        return [cell_text(line.encode()) for line in lines]
    return [cell_text(cell) for line in lines for cell in cell_splitter(",")(line.encode())]


def _text_of(path: str) -> str:
    def check(_: bytes, held: int) -> None:
        if held > LONGEST_LINE:
            raise InputError(f"is larger than {LONGEST_LINE >> 20} MiB", _GIVE, path)

    with closing(open_input(path)) as source:
        data = read_whole(source, check)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", _GIVE, path) from None
