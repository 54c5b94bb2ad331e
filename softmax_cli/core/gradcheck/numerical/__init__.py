"""Numerical derivatives of a function, with error estimates."""
