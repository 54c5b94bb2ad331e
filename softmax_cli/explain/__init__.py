"""Derivations on a user's own numbers, step by step; nothing is read or printed here."""
