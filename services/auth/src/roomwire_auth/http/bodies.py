"""The bodies of requests and answers, as the API documents them. Unknown fields are refused."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

_USERNAME: Final = re.compile(r"[A-Za-z0-9_.-]{2,32}")
_JOINERS: Final = "\u200c\u200d"  # some scripts and many emoji need them between characters
_CONTROLS: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})


def _check_username(value: str) -> str:
    if not _USERNAME.fullmatch(value):
        raise ValueError("use 2 to 32 letters (a-z), digits, '_', '.' or '-'")
    return value


def _check_guest_name(value: str) -> str:
    """Refuse control characters, and format characters as well, because some reverse the direction of the text."""
    if any(unicodedata.category(char) in _CONTROLS and char not in _JOINERS for char in value):
        raise ValueError("control characters are not allowed")
    return value


def _check_text(value: SecretStr) -> SecretStr:
    """Refuse an unpaired surrogate: JSON can spell it, but it is not text."""
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("this is not valid text") from None
    return value


NewUsername = Annotated[
    str,
    AfterValidator(_check_username),
    Field(
        description="Unique, ignoring case.",
        examples=["ada"],
        json_schema_extra={"minLength": 2, "maxLength": 32, "pattern": f"^{_USERNAME.pattern}$"},
    ),
]
NewPassword = Annotated[SecretStr, Field(min_length=8, max_length=256), AfterValidator(_check_text)]
GuestName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_check_guest_name),
]
RefreshToken = Annotated[SecretStr, Field(max_length=256)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(_Request):
    """A new account."""

    username: NewUsername
    password: NewPassword


_CurrentPassword = Annotated[SecretStr, Field(min_length=1, max_length=256), AfterValidator(_check_text)]


class Login(_Request):
    """An account's name and password. Only their size is limited, because the rules of registration may change."""

    username: Annotated[str, Field(min_length=1, max_length=256)]
    password: _CurrentPassword


class Guest(_Request):
    """A guest; the body is optional."""

    name: GuestName | None = Field(None, description="The name that other users see. Default: guest-xxxxxx.")


class Refresh(_Request):
    """A refresh token."""

    refresh_token: RefreshToken


class PasswordChange(_Request):
    """The account's present password, and its new one."""

    current_password: _CurrentPassword
    new_password: NewPassword


class AccountDeletion(_Request):
    """The password of the account to delete, which guards against mistakes and stolen tokens."""

    password: _CurrentPassword


class UserAnswer(BaseModel):
    """The user that signed in."""

    id: str = Field(description="Stable for an account, new for every guest.")
    name: str
    kind: Literal["account", "guest"]


class TokenAnswer(BaseModel):
    """The tokens of the user that signed in (RFC 6749, section 5.1)."""

    access_token: str = Field(description="For the gateway: in the `auth` payload, as `token`.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme, not a secret
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str = Field(
        description="For POST /auth/refresh. Use it once, or again within seconds if the answer was lost."
    )
    user: UserAnswer


class SessionAnswer(BaseModel):
    """A session."""

    id: str = Field(description="The session's id, which its access tokens carry as the claim `sid`.")
    created_at: datetime = Field(description="When the session began.")
    last_used_at: datetime = Field(description="When the session was last refreshed.")
    is_present: bool = Field(description="Whether this request belongs to the session.")


class SessionsAnswer(BaseModel):
    """The caller's sessions, the most recently used first."""

    sessions: list[SessionAnswer]


class ClientTokenAnswer(BaseModel):
    """A client's access token (RFC 6749, section 4.4.3)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme, not a secret
    expires_in: int = Field(description="Seconds until the token expires; then request another.")


class ClientRefusal(BaseModel):
    """Why a client got no token (RFC 6749, section 5.2)."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]
    error_description: str


class Jwk(BaseModel):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class Jwks(BaseModel):
    """The public keys that verify access tokens (RFC 7517)."""

    keys: list[Jwk]
