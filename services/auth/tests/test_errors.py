"""What clients see of the service's own errors."""

import pytest

from auth.errors import MethodNotAllowed, RefreshTokenReused, UsernameTaken


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UsernameTaken(), 409, "invalid_body"),
        (MethodNotAllowed(), 405, "not_found"),
        (RefreshTokenReused("account:1"), 401, "unauthenticated"),
    ],
)
def test_an_error_has_its_status_and_a_code_of_the_closed_list(error, status, code):
    assert (status, code, False) == (error.http_status, error.code, error.retryable)


def test_a_reused_token_is_told_apart_in_the_log_but_not_by_the_client():
    error = RefreshTokenReused("account:1")

    assert error.user_id == "account:1"
    assert "account:1" not in error.message
