"""The render providers: each API, read into the answers of the domain."""
