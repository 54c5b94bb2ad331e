"""Measures softmax-cli against its peers, for the README's speed table: `python -m benchmarks`."""
