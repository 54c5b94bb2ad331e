"""Accurate arithmetic: exact sums, exponentials, double-double numbers, bfloat16."""
