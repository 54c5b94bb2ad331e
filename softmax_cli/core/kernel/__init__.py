"""The optional compiled kernel: one C file, and the choice between it and NumPy."""
