"""Checks whole histories of a relay, simulated or observed, against the promises of design 6."""
