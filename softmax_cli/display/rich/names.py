"""Names of any length on a line of few cells. Knows rich."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from softmax_cli.errors import escape_unprintable

LONGEST_NAME = 28
# What a name is cut to where there is no room for more; below the short one, if nothing else fits.
SHORT_NAME = 10
LENGTHS = (LONGEST_NAME, 24, 20, 16, 12, 10, 8, 6)


def cut_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name on one line, without its middle if it has more cells than these.

    >>> cut_name("encoder.layer.11.attention.bias"), cut_name("encoder.layer.11", 9)
    ('encoder.layer.…ttention.bias', 'enco…r.11')
    """
    name = escape_unprintable(name)
    if cell_len(name) <= longest:
        return name
    ahead = set_cell_size(name, longest // 2).rstrip()
    behind = ""
    for character in reversed(name):
        if cell_len(ahead) + 1 + cell_len(character + behind) > longest:
            break
        behind = character + behind
    return f"{ahead}…{behind.lstrip()}"
