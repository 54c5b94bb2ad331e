"""The losses of rows as they go by: what is checked, computed, summed and counted of them."""
