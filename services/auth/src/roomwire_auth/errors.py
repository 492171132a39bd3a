"""The errors of the auth service, in addition to `roomwire.errors`.

::

    ConfigurationError
    ├── PageFileMissing            a file of the API's page was not installed with the service
    └── UnusableClients            the file of clients is invalid
    ClientError
    ├── InvalidBody
    │   └── UsernameTaken          another account has this name, in this or another spelling
    ├── RateLimited
    │   └── TooManyAttempts        an address has tried too often, or an account was tried too often, and must wait
    ├── Unavailable
    │   └── TooManyGuests          there is the maximum number of guests, or Redis' memory is scarce
    ├── Forbidden
    │   ├── GuestsRefused          guests are not admitted
    │   └── WrongPassword          a signed-in user gives a wrong password
    └── Unauthenticated
        ├── WrongLogin             the account does not exist, or the password is wrong
        │   └── AccountChanged     the account changed, or was deleted, while its password was checked
        └── InvalidRefreshToken    a refresh token is invalid
            └── RefreshTokenReused     a refresh token was used a second time; its family is revoked

Clients see only the library's codes, which are a closed list. `roomwire.errors` says where a message is written.
"""

from http import HTTPStatus

from roomwire.errors import (
    ConfigurationError,
    Forbidden,
    InvalidBody,
    RateLimited,
    Unauthenticated,
    Unavailable,
)


class PageFileMissing(ConfigurationError):
    """A file of the API's page was not installed with the service.

    Args:
        name: The file's name.

    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} is missing: run `make install`, or set ROOMWIRE_DOCS=false"


class UnusableClients(ConfigurationError):
    """The file of clients is invalid.

    Args:
        problem: What is wrong with it.

    """

    def __init__(self, problem: Exception) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"ROOMWIRE_CLIENTS_FILE: this is not a file of clients: {self.problem}"


class UsernameTaken(InvalidBody):
    """The name of a registration belongs to another account; case is ignored."""

    http_status = HTTPStatus.CONFLICT
    default_message = "username: this name is taken."


class TooManyAttempts(RateLimited):
    """An address has tried too often; the answer does not depend on whether the account exists.

    Args:
        retry_after_s: How long the address has to wait; the answer's `Retry-After`.

    """

    default_message = "Too many attempts: wait, then try again."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class TooManyGuests(Unavailable):
    """There is the maximum number of guests, or Redis' memory is scarce. Accounts can sign in."""

    default_message = (
        "No further guests are admitted at the moment: try again later, or sign in with an account."
    )
    retry_after_s = 60


class GuestsRefused(Forbidden):
    """Guests are not admitted."""

    default_message = "Guests are not admitted: sign in with an account."


class WrongPassword(Forbidden):
    """A signed-in user gives a wrong password, or the account no longer exists."""

    default_message = "The password is wrong."


class WrongLogin(Unauthenticated):
    """The account does not exist, or the password is wrong; the answer is the same for both."""

    default_message = "The user name or the password is wrong."


class AccountChanged(WrongLogin):
    """The account has another password than the one that was checked, or no longer exists."""


class InvalidRefreshToken(Unauthenticated):
    """A refresh token is invalid, or its session has ended."""

    default_message = "The refresh token is not valid: sign in again."


class RefreshTokenReused(InvalidRefreshToken):
    """A refresh token was used a second time: it, or the one that replaced it, was stolen.

    The client gets the same answer as for any invalid token.

    Args:
        user_id: The user whose session was revoked.

    """

    def __init__(self, user_id: str) -> None:
        super().__init__()
        self.user_id = user_id
