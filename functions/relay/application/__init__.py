"""The relay's use cases, written against ports; imports no vendor."""
