"""What no input may exceed, so that a hostile one costs neither memory nor time. See SECURITY.md.

Each is far above what rows of numbers need, and each error says what is read instead.
"""

from __future__ import annotations

# Of text: bytes of a line, or of a record of quoted cells that hold newlines; its cells; and how
# many lines may follow each other that are no rows: blank ones, comments, those of one record.
LONGEST_LINE = 12 << 20
MOST_CELLS = 1 << 19
MOST_IDLE_LINES = 1 << 16
# Of a JSON document, which is held whole; and a MiB of it has a comma.
LARGEST_DOCUMENT = 1 << 30
# What is held whole may be so many times as large as its compressed bytes, once it is large.
MOST_EXPANSION = 200
SMALL_ENOUGH = 8 << 20
# No compressed byte of a zip holds more.
MOST_DEFLATED = 1032
# A file of gradcheck's tables.
LARGEST_CONFIGURATION = 1 << 20
# Headers of NPY and safetensors files.
LONGEST_NPY_HEADER = 1 << 16
LONGEST_TENSOR_LIST = 1 << 22
# Of a Parquet or Arrow file, as far as it is read here beside Polars.
LONGEST_FOOTER = 1 << 26
