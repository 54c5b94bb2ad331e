"""Streaming losses: check labels and rows, compute and sum their losses, count metrics."""
