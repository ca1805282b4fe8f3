"""A local stand-in for both providers: it behaves as documented, and worse on request."""
