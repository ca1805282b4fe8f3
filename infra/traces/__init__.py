"""A collector of traces for one machine, and a job's trace as a tree."""
