"""From what was typed to a source of rows: numbers, files, and the format of each."""
