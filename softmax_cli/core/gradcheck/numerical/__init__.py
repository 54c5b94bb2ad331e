"""Numerical derivatives of a function, and how exact they are."""
