"""The subcommands, one file each; the rooms below hold what they share."""
