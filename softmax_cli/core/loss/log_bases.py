"""Bases of the logarithm in losses, and their units."""

from __future__ import annotations

import math

BASES = {"e": math.e, "2": 2.0, "10": 10.0}
UNITS = {"e": "nats", "2": "bits", "10": "decimal digits"}
