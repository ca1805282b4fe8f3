"""Render Relay: every render job sent once, followed to its end, announced once."""

__version__ = "0.12.0"
