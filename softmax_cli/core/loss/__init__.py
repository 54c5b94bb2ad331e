"""Cross-entropy losses of rows, their gradients and reductions."""
