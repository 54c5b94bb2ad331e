"""CSV, TSV and whitespace-separated text."""
