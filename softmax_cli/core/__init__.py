"""The mathematics: NumPy arrays in, NumPy arrays out; no files, no printing."""
