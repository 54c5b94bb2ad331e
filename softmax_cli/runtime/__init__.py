"""The process itself: its signals, its standard streams, and work in a child process."""
