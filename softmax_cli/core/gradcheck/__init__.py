"""Checks of gradients: built-in ones, those of a function, those of a file."""
