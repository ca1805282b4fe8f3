"""Measures what the relay's ways of doing things are worth, against the usual ones.

It runs the relay's own code: this package puts it on the path.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "functions"))
