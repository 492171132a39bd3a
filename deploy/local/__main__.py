"""The whole system on one machine: `make up` and `make down` call this.

`plan` decides what runs where, `ingress` writes Traefik's configuration, `supervisor` keeps it running.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from plan import PlanError, make_plan
from supervisor import SupervisorError, run, stop

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    command = parser.parse_args().command
    try:
        if command == "down":
            stop(ROOT, os.environ)
        else:
            asyncio.run(run(make_plan(ROOT, os.environ)))
    except (PlanError, SupervisorError) as error:
        print(f"make {command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
