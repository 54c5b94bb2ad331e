"""Renders what is displayed as text, color or a picture; the only room that imports rich."""
