"""Functions that do the least that is possible, to measure the relay against."""
