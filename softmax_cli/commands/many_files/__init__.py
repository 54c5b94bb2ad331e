"""A command over many files, each a shard."""
