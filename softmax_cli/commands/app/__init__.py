"""The command line: the app, its table of subcommands, and the parser."""
