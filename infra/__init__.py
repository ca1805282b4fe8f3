"""Tools for people at a terminal: local stack, provider sandbox, simulator, benchmarks."""
