"""Parquet and Arrow IPC, read and written through Polars."""
