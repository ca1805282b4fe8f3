"""The rules for jobs and accounts; imports nothing of Google, HTTP or clocks."""
