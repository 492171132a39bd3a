"""The limit on open files of this process and its servers: each connection is an open file."""

import resource
from typing import Final

_FILES: Final = 20_000


def raise_file_limit() -> None:
    """Allow this process and its servers as many open files as a row needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _FILES), hard))
    else:
        # Root may raise the hard limit too; for other users this fails, and the error names the limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
