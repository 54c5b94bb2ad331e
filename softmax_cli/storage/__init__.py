"""Bytes in and out, local or remote: files are written whole or not at all."""
