"""Gradients of which it is known whether they are right: what a checker is judged by."""
