"""Twelve render jobs through the whole relay on one machine, with things going wrong on purpose."""
