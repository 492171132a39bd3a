"""`python -m roomwire_auth new-client`: creates a client's secret and its entry for the file of clients."""

import sys

from roomwire.errors import ConfigurationError
from roomwire.identity.capabilities import load_policy
from roomwire_auth.clients.clients import check_client_id, new_secret, secret_digest
from roomwire_auth.settings import Settings


def new_client(name: str, *, role: str = "service") -> None:
    """Print a client's entry for ROOMWIRE_CLIENTS_FILE, and, once, its secret on the error output."""
    try:
        check_client_id(name)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    load_policy(Settings.load().policy_file).of_role(role)
    secret = new_secret()
    # Names may contain dots, which have a meaning in TOML.
    entry = f'[clients."{name}"]\nrole = "{role}"\nsecret_sha256 = ["{secret_digest(secret)}"]\n'
    print(entry)  # noqa: T201 - this is the command's output
    print(f"client_secret of {name}, shown only once: {secret}", file=sys.stderr)  # noqa: T201 - the same
