"""A stand-in for both providers, behaving as they are documented to, and worse on request."""
