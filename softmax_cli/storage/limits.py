"""Limits of inputs: a hostile one must cost neither memory nor time. See SECURITY.md.

Each is far above what rows of numbers need, and each error says what to use instead.
"""

# Text: bytes of a line, or of a record of quoted cells that hold newlines; cells of a line; and
# consecutive lines without a row: blank ones, comments, lines of one record.
LONGEST_LINE = 12 << 20
MOST_CELLS = 1 << 19
MOST_IDLE_LINES = 1 << 16
# A JSON document, which is held whole.
LARGEST_DOCUMENT = 1 << 30
# Data that is held whole may be this many times as large as its compressed bytes, once it is large.
MOST_EXPANSION = 200
SMALL_ENOUGH = 8 << 20
# No compressed byte of a zip file holds more.
MOST_DEFLATED = 1032
# A file with gradcheck's tables.
LARGEST_CONFIGURATION = 1 << 20
# Headers of NPY and safetensors files; footers of Parquet and Arrow files.
LONGEST_NPY_HEADER = 1 << 16
LONGEST_TENSOR_LIST = 1 << 22
LONGEST_FOOTER = 1 << 26
# Entries of a list of Parquet or Arrow: lists of nulls take no bytes, equal ones few.
LONGEST_LIST = 1 << 24
# A batch of rows of an Arrow stream, which is held whole.
LARGEST_BATCH = 1 << 32
