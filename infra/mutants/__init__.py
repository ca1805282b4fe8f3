"""Tries small random faults in the relay's code and reports those that no test notices."""
