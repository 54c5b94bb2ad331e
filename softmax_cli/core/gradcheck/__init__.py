"""Gradient checks: of the built-in derivatives, of a user's function, of a gradient file."""
