"""Names cut to the width of a column."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from softmax_cli.errors import escape_unprintable

# The widths that names are cut to, the first that fits; below the short one, nothing else did.
LENGTHS = (28, 24, 20, 16, 12, 10, 8, 6)
SHORT_NAME = 10


def cut_name(name: str, longest: int = LENGTHS[0]) -> str:
    """Return the name on one line, without its middle if it is wider than `longest` cells.

    >>> cut_name("encoder.layer.11.attention.bias"), cut_name("encoder.layer.11", 9)
    ('encoder.layer.…ttention.bias', 'enco…r.11')
    """
    name = escape_unprintable(name)
    if cell_len(name) <= longest:
        return name
    start = set_cell_size(name, longest // 2).rstrip()
    end = ""
    for character in reversed(name):
        if cell_len(start) + 1 + cell_len(character + end) > longest:
            break
        end = character + end
    return f"{start}…{end.lstrip()}"
