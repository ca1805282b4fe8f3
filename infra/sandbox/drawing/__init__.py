"""Drawn rooms: the sample inputs, and what a render makes of an input."""
