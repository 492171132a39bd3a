"""Token requests by their good and bad cases (RFC 6749, sections 2.3.1, 3.2, 4.4 and 5.2)."""

import base64

import pytest

from roomwire_auth.clients.oauth import FORM, Refused, TokenRequest, read_token_request

GRANT = "grant_type=client_credentials"
IN_BODY = f"{GRANT}&client_id=reports&client_secret=s3cret"


def basic(text):
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("body", "authorization"),
    [
        pytest.param(GRANT, basic("reports:s3cret"), id="in the header"),
        pytest.param(GRANT, basic("reports:s3cret").replace("Basic", "bAsIc"), id="a scheme in another case"),
        pytest.param(GRANT, basic("re%70orts:s%33cret"), id="encoded in the header"),
        pytest.param(f"{GRANT}&client_id=reports", basic("reports:s3cret"), id="the id in both"),
        pytest.param(IN_BODY, "", id="in the body"),
        pytest.param(IN_BODY, "Bearer x.y.z", id="in the body, beside a header of another scheme"),
        pytest.param(f"{IN_BODY}&resource=x&audience=y", "", id="fields that nobody knows"),
        pytest.param(f"{IN_BODY}&scope=", "", id="a field without a value is none"),
        pytest.param(
            f"{GRANT}&client_secret=", basic("reports:s3cret"), id="a secret without a value is none"
        ),
    ],
)
def test_who_asks_is_read_from_the_header_or_the_body(body, authorization):
    request = read_token_request(body.encode(), content_type=FORM, authorization=authorization)

    assert TokenRequest("reports", "s3cret") == request


def test_what_is_encoded_in_the_header_is_decoded_as_a_form():
    request = read_token_request(
        GRANT.encode(), content_type=f"{FORM}; charset=UTF-8", authorization=basic("a+b:%2B%3A%C3%A4:c")
    )

    assert TokenRequest("a b", "+:ä:c") == request


@pytest.mark.parametrize(
    ("body", "authorization", "code"),
    [
        pytest.param("", "", "invalid_request", id="nothing"),
        pytest.param("client_id=reports&client_secret=s3cret", "", "invalid_request", id="no grant_type"),
        pytest.param(
            IN_BODY.replace("client_credentials", "password"), "", "unsupported_grant_type", id="password"
        ),
        pytest.param(
            IN_BODY.replace("client_credentials", "refresh_token"), "", "unsupported_grant_type", id="refresh"
        ),
        pytest.param(f"{IN_BODY}&scope=all", "", "invalid_scope", id="a scope"),
        pytest.param(f"{IN_BODY}&{GRANT}", "", "invalid_request", id="a field twice"),
        pytest.param(f"{IN_BODY}&x=1&x=", "", "invalid_request", id="a field twice, without a value"),
        pytest.param(IN_BODY + "&x" * 30, "", "invalid_request", id="very many fields"),
        pytest.param(f"{IN_BODY}&x=%FF", "", "invalid_request", id="no UTF-8"),
        pytest.param(IN_BODY + "&x=ä", "", "invalid_request", id="no ASCII"),
        pytest.param(IN_BODY, basic("reports:s3cret"), "invalid_request", id="two ways at once"),
        pytest.param(f"{GRANT}&client_id=billing", basic("reports:s3cret"), "invalid_request", id="two ids"),
        pytest.param(GRANT, "", "invalid_client", id="no credentials"),
        pytest.param(f"{GRANT}&client_id=reports", "", "invalid_client", id="no secret"),
        pytest.param(f"{GRANT}&client_secret=s3cret", "", "invalid_client", id="no id"),
        pytest.param(GRANT, "Bearer x.y.z", "invalid_client", id="another scheme"),
        pytest.param(GRANT, "Basic", "invalid_client", id="an empty header"),
        pytest.param(GRANT, "Basic !!!", "invalid_client", id="no base64"),
        pytest.param(GRANT, basic("reports"), "invalid_client", id="no colon"),
        pytest.param(GRANT, basic(b"\xff:\xff"), "invalid_client", id="no UTF-8 in the header"),
        pytest.param(GRANT, basic("%FF:x"), "invalid_client", id="no UTF-8 when decoded"),
        pytest.param(GRANT, basic("reports:" + "x" * 257), "invalid_client", id="a long secret"),
        pytest.param(f"{IN_BODY}{'x' * 257}", "", "invalid_client", id="a long secret in the body"),
        pytest.param(GRANT, basic("x" * 257 + ":s3cret"), "invalid_client", id="a long id"),
    ],
)
def test_what_is_no_request_is_refused_by_a_code_of_the_standard(body, authorization, code):
    with pytest.raises(Refused) as caught:
        read_token_request(body.encode(), content_type=FORM, authorization=authorization)

    assert code == caught.value.code == caught.value.body()["error"]
    assert (401 if code == "invalid_client" else 400) == caught.value.http_status
    assert "s3cret" not in caught.value.description


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", f"x{FORM}"])
def test_a_body_that_is_not_sent_as_a_form_is_refused(content_type):
    with pytest.raises(Refused) as caught:
        read_token_request(IN_BODY.encode(), content_type=content_type, authorization="")

    assert "invalid_request" == caught.value.code


def test_the_secret_is_not_in_the_repr_of_a_request():
    assert "s3cret" not in repr(TokenRequest("reports", "s3cret"))
