"""The API keeps what its OpenAPI document promises: a real process, a real Redis."""

import pytest
from openapi import FORMS, TEST_TIME_S, broken_promises
from service_process import running

from roomwire.identity.tokens import SigningKey

# A secret comes in the header or in the form, and not in both (RFC 6749, section 2.3): no schema of a body can say so.
ONE_SECRET = """
[[operations]]
include-path = "/auth/token"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "429"]
"""


@pytest.mark.timeout(TEST_TIME_S)
@pytest.mark.parametrize("throttle", ["false", "true"], ids=["unhindered", "held back"])
@FORMS
async def test_every_operation_keeps_what_the_document_promises(redis_url, tmp_path, throttle, examples):
    settings = {
        "redis_url": redis_url,
        "signing_key": SigningKey.generate().to_pem(),
        "throttle": throttle,
        "docs": "false",
        "argon2_time_cost": 1,
        "argon2_memory_kib": 7_168,
    }
    async with running("auth", tmp_path / "log", **settings) as auth:
        url = f"http://{auth.address}/auth/openapi.json"
        broken = await broken_promises(url, tmp_path, examples=examples, settings=ONE_SECRET)

    assert not broken, broken
