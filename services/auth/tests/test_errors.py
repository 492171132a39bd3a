"""What clients see of the service's own errors."""

import pytest

from roomwire_auth.errors import RefreshTokenReused, TooManyAttempts, UsernameTaken


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (UsernameTaken(), 409, "invalid_body", False),
        (RefreshTokenReused("account:1"), 401, "unauthenticated", False),
        (TooManyAttempts(7), 429, "rate_limited", True),
    ],
)
def test_an_error_has_its_status_and_a_code_of_the_closed_list(error, status, code, retryable):
    assert (status, code, retryable) == (error.http_status, error.code, error.retryable)


def test_a_reused_token_is_told_apart_in_the_log_but_not_by_the_client():
    error = RefreshTokenReused("account:1")

    assert error.user_id == "account:1"
    assert "account:1" not in error.message
