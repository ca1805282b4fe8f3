"""Simulates a whole deployment in one process on a virtual clock.

Only what is behind the application's ports is replaced; everything between them is the
product's own code.
"""
