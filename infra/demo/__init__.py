"""Twelve render jobs through the whole relay on one machine, with deliberate trouble."""
