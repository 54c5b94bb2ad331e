"""Every reader against inputs that nobody thought of: see targets.py, and __main__.py to run it."""
