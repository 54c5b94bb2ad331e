"""Tables of rows for a terminal, and pictures of them."""
