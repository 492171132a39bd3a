"""The API keeps what its OpenAPI document promises: a real process, a real Redis."""

import pytest
from openapi import broken_promises
from processes import running

from roomwire.tokens import SigningKey


@pytest.mark.parametrize("throttle", ["false", "true"], ids=["unhindered", "held back"])
async def test_every_operation_keeps_what_the_document_promises(redis_url, tmp_path, throttle):
    settings = {
        "redis_url": redis_url,
        "signing_key": SigningKey.generate().to_pem(),
        "throttle": throttle,
        "docs": "false",
        "argon2_time_cost": 1,
        "argon2_memory_kib": 7_168,
    }
    async with running("auth", tmp_path / "log", **settings) as auth:
        broken = await broken_promises(f"http://{auth.address}/auth/openapi.json", tmp_path)

    assert not broken, broken
