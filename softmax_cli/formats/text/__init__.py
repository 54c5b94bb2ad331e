"""What the text formats share: lines, cells and numbers as text."""
