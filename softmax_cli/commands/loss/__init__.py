"""One run of xent: its metrics, report and files."""
