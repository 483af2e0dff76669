"""The paths of the project and of its binary. ITEMS_BINARY replaces the release build."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("ITEMS_BINARY", ROOT / ".build/release/items")).resolve()
