"""The API keeps what its OpenAPI document promises: a real process, a real Redis."""

import pytest
from backends import ADMIN, KEYS, POLICY
from openapi import FORMS, TEST_TIME_S, broken_promises
from service_process import HOST, running


@pytest.mark.timeout(TEST_TIME_S)
@FORMS
async def test_every_operation_keeps_what_the_document_promises(redis_url, tmp_path, free_port, examples):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    settings = {
        "redis_url": redis_url,
        "auth_mode": "off",
        "policy_file": policy,
        "api_port": free_port,
        "api_keys": KEYS,
        "api_max_per_s": 10_000,
    }
    async with running("gateway", tmp_path / "log", **settings):
        url = f"http://{HOST}:{free_port}/api/v1/openapi.json"
        broken = await broken_promises(
            url, tmp_path, examples=examples, headers={"Authorization": f"Bearer {ADMIN}"}
        )

    assert not broken, broken
