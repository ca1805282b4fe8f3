"""Tools for people at a terminal; nothing in functions/ imports them."""

import sys
from pathlib import Path

# The relay's code is not installed anywhere. Last, so that a copy under test comes first.
sys.path.append(str(Path(__file__).parents[1] / "functions"))
