"""`FILE[KEY]`: one array of a file that holds arrays by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from softmax_cli.errors import InputError, UsageError, shorten
from softmax_cli.formats.registry import Format, detected_format, suffix_format
from softmax_cli.storage.filesystem import path_of


def split_key(token: str) -> tuple[str, str | None]:
    """Return FILE and KEY of `FILE[KEY]`, or the token and None.

    FILE exists and holds arrays by name. A file whose name is the whole token is that file.
    """
    for path, key in _splits(token):
        if path_of(path).is_file() and _format_of(path).holds == "arrays":
            return (token, None) if path_of(token).exists() else (path, key)
    return token, None


def file_of(token: str) -> str:
    """Return the file that a token names: FILE of `FILE[KEY]`, else the token."""
    return split_key(token)[0]


def one_key(path: str, key: str | None, option: str | None) -> str | None:
    """Return the key of `FILE[KEY]`, or else that of `--key`; both are an error."""
    if key is not None and option is not None:
        problem = f"{path}[{shorten(key)}] already names its array"
        raise UsageError(problem, "leave it out, and write FILE[KEY] for each file", "--key")
    return option if key is None else key


def matches(token: str, *, only_files: bool = False) -> list[str]:
    """Return the paths that a glob matches, in order, each with the key of `GLOB[KEY]`."""
    if not is_pattern(token):
        return []
    path = path_of(token)
    if found := path.files() if only_files else path.glob():
        return found
    for pattern, key in _splits(token):
        if is_pattern(pattern) and (found := path_of(pattern).files()):
            return [f"{path}[{key}]" for path in found]
    return []


def names_input(token: str) -> bool:
    """Return true if a token names standard input, a file, or files that a glob matches."""
    return token == "-" or path_of(file_of(token)).exists() or bool(matches(token))


def is_read_once(token: str | None) -> bool:
    """Return true if a token is standard input, or another pipe."""
    if token is None or token == "-":
        return token == "-"
    path = path_of(file_of(token))
    return path.exists() and not path.is_file()


def is_pattern(text: str) -> bool:
    """Return true if a text has a character that is special in a glob."""
    return any(character in text for character in "*?[")


def split_name(token: str) -> tuple[str, str | None]:
    """Return what may be FILE and KEY of a file that does not exist, by its suffix."""
    for path, key in _splits(token):
        if (form := suffix_format(path)) is not None and form.holds == "arrays":
            return path, key
    return token, None


def looks_like_a_path(token: str) -> bool:
    """Return true for a token with a separator or a known suffix.

    >>> looks_like_a_path("data/z"), looks_like_a_path("z.npy"), looks_like_a_path("z")
    (True, True, False)
    """
    return any(mark in token for mark in "/\\") or suffix_format(token) is not None


def refuse_key(token: str) -> None:
    """Refuse `FILE[KEY]` where FILE is a file that has no named arrays."""
    for path, key in _splits(token):
        if path_of(path).is_file() and (form := _format_of(path)).holds != "arrays":
            from softmax_cli.formats.columns.selection import column_choice

            remedy = column_choice(key) if form.holds == "table" else f"name {path}"
            raise InputError(f"{form.name} has no named arrays", remedy, token)


def _splits(token: str) -> Iterator[tuple[str, str]]:
    """Yield what is before and after each `[`, without the `]` at the end."""
    if not token.endswith("]") or token.startswith("["):
        return
    start = 0
    while (start := token.find("[", start + 1)) > 0:
        yield token[:start], token[start + 1 : -1]


def _format_of(path: str) -> Format:
    if (form := suffix_format(path)) is not None:
        return form
    from softmax_cli.storage.input import open_input

    with closing(open_input(path)) as source:
        return detected_format(path, source)
