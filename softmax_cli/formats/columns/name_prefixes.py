"""Prefixes that the class names of one input have and those of another lack: `.pred_setosa`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def common_prefix(names: Sequence[str], endings: Sequence[str]) -> str:
    """Return the prefix that all names share, before one of the endings in at least one; else "".

    >>> common_prefix([".pred_a", ".pred_b"], ["b"]), common_prefix(["xa", "yb"], ["a"])
    ('.pred_', '')
    """
    for name in names:
        for ending in endings:
            if ending and name.endswith(ending) and name != ending:
                prefix = name.removesuffix(ending)
                if all(other.startswith(prefix) for other in names):
                    return prefix
    return ""


def prefix_remedy(names: Sequence[str], endings: Sequence[str], otherwise: str) -> str:
    """Return the remedy for names that have a prefix before the endings, or else another one.

    >>> prefix_remedy(["cat", "dog"], ["hot dog"], "check the name")
    'check the name'
    """
    prefix = common_prefix(names, endings)
    if not prefix:
        return otherwise
    return f"--class-prefix {shlex.quote(prefix)} strips the prefix"
