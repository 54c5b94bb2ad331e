"""What tables of all formats share: their columns, header and missing values."""
