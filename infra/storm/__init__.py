"""Crashes real processes while jobs go through the relay, and checks what was observed."""
