"""Every test works in a directory of its own."""

from tests.formats.conftest import folder

__all__ = ["folder"]
