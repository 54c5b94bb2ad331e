"""Hypothesis draws the same examples in every run, so that a failure is never a matter of luck."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("core")
