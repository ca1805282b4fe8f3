"""The whole system on one machine: emulators, functions, sandbox, scheduler."""
