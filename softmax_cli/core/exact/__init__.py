"""Arithmetic that keeps the digits: exact sums, exponentials and number types."""
