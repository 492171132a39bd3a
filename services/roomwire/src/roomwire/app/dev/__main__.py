"""`python -m roomwire.app.dev`: the process of an application under `roomwire dev`; see `child`."""

import signal
import sys


def main() -> int:
    """Serve an application, and return the exit status."""
    # Ctrl-C also reaches the supervisor, which ends this process. Until this process serves it ignores the signal, because the
    # imports below take a while.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from roomwire.app.dev import child  # noqa: PLC0415 - as the comment says

    return child.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
