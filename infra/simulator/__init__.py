"""A whole deployment in one process on a virtual clock, and a checker of its histories.

Only what stands behind the application's ports is replaced here; everything between them is
the product's own code.
"""

import sys
from pathlib import Path

# Last, so that a copy of the package that is being tried out comes first.
sys.path.append(str(Path(__file__).parents[2] / "functions"))
