"""Writes the descriptions of the APIs: OpenAPI, AsyncAPI and the JSON Schemas of job and events.

What the relay's own code says (types, catalogue, problems, event attributes) is taken from it;
only prose and examples stand here, as data.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "functions"))
