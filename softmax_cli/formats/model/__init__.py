"""The terms that all formats share: blocks of rows, sources, sinks and their options."""
