"""Where the project and its binary are. ITEMS_BINARY names another binary than the release build."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("ITEMS_BINARY", ROOT / ".build/release/items")).resolve()
