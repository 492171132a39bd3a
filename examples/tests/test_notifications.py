"""Notifications: a customer at one gateway hears what another gateway publishes for an HTTP request, and what a process that is no gateway publishes."""

import shutil

import pytest
from needs import need
from walkthrough import walkthrough


@pytest.mark.examples
async def test_a_customer_hears_of_a_backend_behind_another_gateway_and_of_a_process_that_is_none(tmp_path):
    need(shutil.which("curl"), "curl (apt-get install curl)")
    async with walkthrough("notifications", tmp_path) as shop:
        await shop.start_valkey()
        await shop.start_gateways()
        customer = await shop.start("customer.mjs")
        order = await customer.says(r"watching ([\w-]{22})")

        await (await shop.start("curl", {"ORDER": order})).ended()
        await customer.says("Your order has been paid.")
        assert "reported\n" == await (await shop.start("courier.py", {"ORDER": order})).ended()

        heard = f"watching {order}\nYour order has been paid.\nYour order is on its way.\n"
        assert heard == await customer.ended()
