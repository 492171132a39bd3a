"""What can go wrong in the auth service, beside `roomwire.errors`.

::

    ClientError
    ├── InvalidBody
    │   └── UsernameTaken          somebody has this name, in this or another spelling
    ├── RateLimited
    │   └── TooManyAttempts        an address has tried too often, and is told when to try again
    └── Unauthenticated
        ├── AccountChanged         while its password was checked, an account got another, or ceased to be
        └── RefreshTokenReused     a refresh token came a second time; its family is revoked

A client sees the codes of the library only: they are a closed list.
"""

from http import HTTPStatus

from roomwire.errors import InvalidBody, RateLimited, Unauthenticated

WRONG_LOGIN = "The user name or the password is wrong."
INVALID_REFRESH_TOKEN = "The refresh token does not hold: sign in again."  # noqa: S105 - a sentence


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


class AccountChanged(Unauthenticated):
    """The password that was checked is not the account's any more, or there is no such account any more."""

    default_message = WRONG_LOGIN


class RefreshTokenReused(Unauthenticated):
    """A refresh token was presented that had been used before: it, or the one that came of it, was stolen.

    The client is told no more than of any token that does not hold.

    Args:
        user_id: Whose session was revoked.

    """

    default_message = INVALID_REFRESH_TOKEN

    def __init__(self, user_id: str) -> None:
        super().__init__()
        self.user_id = user_id
