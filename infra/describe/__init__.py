"""Writes docs/: OpenAPI, AsyncAPI and the JSON Schemas of the job and its events.

The YAML files here are written by hand. Schemas, limits, words and examples come from the
relay's own code: this package puts it on the path.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "functions"))
