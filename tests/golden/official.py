"""Figures of the official implementations."""

import json
from pathlib import Path

GOLDEN = json.loads((Path(__file__).parent / "official.json").read_text())
