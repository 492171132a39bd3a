"""`python -m roomwire_auth`: run the auth service."""

import sys
from collections.abc import Callable

from roomwire.serving import process
from roomwire_auth.app import AuthApp
from roomwire_auth.commands.new_client import new_client
from roomwire_auth.commands.new_key import new_key
from roomwire_auth.commands.rotate_keys import rotate_keys
from roomwire_auth.settings import Settings

if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {
        "new-key": new_key,
        "rotate-keys": rotate_keys,
        "new-client": new_client,
    }
    sys.exit(
        process.main("auth", module="roomwire_auth", settings=Settings, build=AuthApp, commands=commands)
    )
