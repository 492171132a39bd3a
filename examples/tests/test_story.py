"""The story: the gateway whose handler streams is killed in the middle, and a handler of the other gateway goes on."""

import pytest
from walkthrough import walkthrough

STORY = "".join(f"{number} " for number in range(1, 201))


@pytest.mark.examples
async def test_another_handler_goes_on_after_the_last_token_that_the_client_has(tmp_path):
    async with walkthrough("story", tmp_path) as story:
        await story.start_valkey()
        gateways = dict(zip(("one", "two"), await story.start_gateways(), strict=True))
        ingress = await story.start("traefik")
        await story.answers(8000, ingress, path="/socket.io/?EIO=4&transport=polling")

        for program in ("tell.mjs", "tell.py"):
            client = await story.start(program)
            holder = await client.says(r"held by gateway (one|two)\n")
            await client.says(" 20 ")
            await gateways[holder].kill()

            assert f"held by gateway {holder}\n{STORY}\nattempts: 2\n" == await client.ended()

            gateways[holder] = await story.again(gateways[holder])
            await story.answers({"one": 9001, "two": 9002}[holder], gateways[holder], path="/readyz")
