"""The chat's contract: everything is declared, and the running chat keeps what it promises."""

from promised import Promised

from roomwire.app.contract.surface import surface_of
from roomwire.app.settings import GatewaySettings
from roomwire_gateway.app import chat
from roomwire_gateway.settings import Settings

SETTINGS = Settings(auth_mode="optional", redis_url="memory://", page=False)


def test_no_event_of_the_chat_is_unknown():
    (sentence,) = surface_of(chat(SETTINGS)).not_known

    assert sentence.startswith("The lifespan was not run")


async def test_the_running_chat_keeps_what_its_contract_promises(nodes):
    app = chat(SETTINGS)
    promised = Promised(app)
    den, named = {"roomId": "den"}, {"roomId": "den", "userName": "Ann"}
    async with nodes(app, provide={GatewaySettings: SETTINGS}) as cluster:
        ann = await cluster.connect("ann")
        bob = await cluster.connect("bob", auth={"structured": True})
        for client in (ann, bob):
            await promised.call(client, "joinRoom", named)
        for event, body in (
            ("message", "to all"),
            ("chatMessage", {**named, "message": "hello"}),
            ("typing", named),
            ("history", den),
            ("presence", den),
            ("rooms", None),
            ("leaveRoom", den),
        ):
            await promised.call(ann, event, *([] if body is None else [body]))
        await cluster.settle()

        assert {"welcome", "message", "roomMessage"} == {*promised.holds_for(ann)}
        assert {"welcome", "message", "roomMessage", "presence", "typing"} == {*promised.holds_for(bob)}
