"""`python -m roomwire_local`: the whole system on one machine, for `roomwire up`, `make up` and `make down`.

Data is kept in `.local/` of the working directory. `plan` decides what runs where, `ingress` writes Traefik's configuration, `supervisor` keeps the processes running.
"""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from roomwire_local.plan import PlanError, make_plan
from roomwire_local.supervisor import SupervisorError, restart, run, stop


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m roomwire_local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="run the system until a signal")
    commands.add_parser("down", help="stop the system on PORT")
    restarting = commands.add_parser(
        "restart", help="replace processes of the system on PORT, one after another"
    )
    restarting.add_argument("names", nargs="*", help="names as shown by `up`. Default: all gateways")
    arguments = parser.parse_args()
    command, folder = arguments.command, Path.cwd()
    try:
        if command == "down":
            stop(folder, os.environ)
        elif command == "restart":
            for done in restart(folder, os.environ, arguments.names):
                print(json.dumps(asdict(done)), flush=True)
        else:
            asyncio.run(run(make_plan(folder, os.environ)))
    except (PlanError, SupervisorError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
