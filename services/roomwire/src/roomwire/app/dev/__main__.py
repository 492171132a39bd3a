"""`python -m roomwire.app.dev`: the process of an application under `roomwire dev`, see `child`."""

import signal
import sys


def main() -> int:
    """Serve an application; returns the exit status."""
    # Ctrl-C reaches the supervisor as well, which ends this process until it serves, and takes the signal as its own end. What
    # follows imports for a while.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from roomwire.app.dev import child  # noqa: PLC0415 - as the comment says

    return child.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
