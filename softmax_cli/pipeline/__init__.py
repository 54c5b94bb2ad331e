"""Rows on their way from a source through a kernel to a sink; `run` is the page to read first."""
