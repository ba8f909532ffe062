"""Outcome -> records to produce. Pure."""
