"""When output is colored: `--color`."""

from typing import Literal

Color = Literal["auto", "always", "never"]
