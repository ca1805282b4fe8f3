"""Renews the pinned versions of every Python package."""
