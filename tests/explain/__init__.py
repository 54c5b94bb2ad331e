"""Explanations: their numbers against exact digits, their text at 80 columns."""
