"""Checks whole histories of the relay, simulated or observed, against its promises."""
