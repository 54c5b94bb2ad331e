"""What explanations say, compared with exact digits and read at 80 columns."""
