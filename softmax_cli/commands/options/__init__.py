"""The options of the subcommands, each flag defined once."""
