"""`python -m auth`: run the auth service."""

import sys
from collections.abc import Callable

from auth.app import AuthApp, print_new_key
from auth.new_client import new_client
from auth.rotate_keys import rotate_keys
from auth.settings import Settings
from roomwire import service

if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {
        "new-key": print_new_key,
        "rotate-keys": rotate_keys,
        "new-client": new_client,
    }
    sys.exit(service.main("auth", settings=Settings, build=AuthApp, commands=commands))
