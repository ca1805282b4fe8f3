"""Render Relay: every render job sent once, followed to its end, announced once."""
