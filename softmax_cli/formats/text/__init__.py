"""What text formats share: lines, cells, numbers and JSON values."""
