"""Many files as one run: what is to be done, what is done, and who does it."""
