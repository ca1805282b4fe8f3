"""A storm of crashes over the real processes, and the checker of histories over what was seen."""

import sys
from pathlib import Path

# Documents are read with the product's own code, which is not installed anywhere.
sys.path.append(str(Path(__file__).parents[2] / "functions"))
