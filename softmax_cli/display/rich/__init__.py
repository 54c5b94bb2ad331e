"""Renders parts as text, in color or as a picture; the only room that imports rich."""
