"""The assistant: the gateway that holds the client is killed in the middle of an answer."""

import pytest
from walkthrough import walkthrough

ANSWER = "".join(f"{number} " for number in range(1, 201))


@pytest.mark.examples
async def test_an_answer_survives_the_gateway_that_holds_the_client(tmp_path):
    async with walkthrough("assistant", tmp_path) as assistant:
        await assistant.start_valkey()
        gateways = dict(zip(("one", "two"), await assistant.start_gateways(), strict=True))
        await (await assistant.start("worker.py")).says("waiting for questions")
        ingress = await assistant.start("traefik")
        await assistant.answers(8000, ingress, path="/socket.io/?EIO=4&transport=polling")

        client = await assistant.start("ask.mjs")
        holder = await client.says(r"held by gateway (one|two)\n")
        await client.says(" 20 ")
        await gateways[holder].kill()

        assert f"held by gateway {holder}\n{ANSWER}\nrecovered: true\n" == await client.ended()
