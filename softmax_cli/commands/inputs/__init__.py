"""Opens the inputs of a command."""
