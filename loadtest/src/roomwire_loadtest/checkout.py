"""The folders of the checkout that contain results, and documents made from them."""

from pathlib import Path
from typing import Final

_LOADTEST: Final = Path(__file__).resolve().parents[2]
ROOT: Final = _LOADTEST.parent
RESULTS: Final = _LOADTEST / "results"
WORKLOADS: Final = _LOADTEST / "workloads"
PEERS: Final = _LOADTEST / "peers"
"""Servers in other languages, and python-socketio's own server, each a program with its lock file."""
REPLACED: Final = ROOT / "deploy" / "programs" / "replaced"
"""The folder that replaces python-socketio's server by Roomwire's in a program that has it on `PYTHONPATH`."""
