"""The relay's edges: requests and messages become calls, results become answers."""
