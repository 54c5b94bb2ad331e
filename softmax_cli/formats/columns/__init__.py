"""Which columns of a table are classes, ids or labels, and whether it has a header."""
