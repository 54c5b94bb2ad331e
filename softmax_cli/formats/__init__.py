"""Bytes to blocks of rows and back, one file per format; no mathematics."""
