"""`python -m roomwire_auth new-key`: creates a private key for access tokens."""

from roomwire.identity.tokens import SigningKey


def new_key() -> None:
    """Print a new private key in PEM, for ROOMWIRE_SIGNING_KEY_FILE."""
    print(SigningKey.generate().to_pem(), end="")  # noqa: T201 - this is the command's output
