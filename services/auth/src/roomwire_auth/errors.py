"""The errors of the auth service, in addition to `roomwire.errors`.

::

    ConfigurationError
    ├── PageFileMissing            a file of the API's page was not installed with the service
    └── UnusableClients            the file of clients is none
    ClientError
    ├── InvalidBody
    │   └── UsernameTaken          another account has this name, in this or another spelling
    ├── RateLimited
    │   └── TooManyAttempts        an address has tried too often, and is told when to try again
    ├── Forbidden
    │   ├── GuestsRefused          guests are not let in
    │   └── WrongPassword          a signed-in user gives a password that is not the account's
    └── Unauthenticated
        ├── WrongLogin             no such account, or not its password
        │   └── AccountChanged     while its password was checked, an account got another, or ceased to be
        └── InvalidRefreshToken    a refresh token does not hold
            └── RefreshTokenReused     it came a second time; its family is revoked

A client sees the codes of the library only: they are a closed list. `roomwire.errors` says where a sentence stands.
"""

from http import HTTPStatus

from roomwire.errors import ConfigurationError, Forbidden, InvalidBody, RateLimited, Unauthenticated


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
    """The file of clients is none.

    Args:
        problem: What is wrong in it.

    """

    def __init__(self, problem: Exception) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"ROOMWIRE_CLIENTS_FILE: this is not a file of clients: {self.problem}"


class UsernameTaken(InvalidBody):
    """The name of a registration belongs to another account, perhaps in another case."""

    http_status = HTTPStatus.CONFLICT
    default_message = "username: this name is taken."


class TooManyAttempts(RateLimited):
    """An address has tried too often; the same answer whether or not there is such an account.

    Args:
        retry_after_s: How long it has to wait: the answer's `Retry-After`.

    """

    default_message = "Too many attempts: wait, then try again."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class GuestsRefused(Forbidden):
    """Guests are not let in."""

    default_message = "Guests are not admitted: sign in with an account."


class WrongPassword(Forbidden):
    """A signed-in user gives a password that is not the account's, or there is no such account any more."""

    default_message = "The password is wrong."


class WrongLogin(Unauthenticated):
    """There is no such account, or this is not its password: the same answer for both."""

    default_message = "The user name or the password is wrong."


class AccountChanged(WrongLogin):
    """The password that was checked is not the account's any more, or there is no such account any more."""


class InvalidRefreshToken(Unauthenticated):
    """A refresh token does not hold: it is none, or its session has ended."""

    default_message = "The refresh token is not valid: sign in again."


class RefreshTokenReused(InvalidRefreshToken):
    """A refresh token was presented that had been used before: it, or the one that came of it, was stolen.

    The client is told no more than of any token that does not hold.

    Args:
        user_id: Whose session was revoked.

    """

    def __init__(self, user_id: str) -> None:
        super().__init__()
        self.user_id = user_id
