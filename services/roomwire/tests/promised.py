"""What the contract of an application promises, to be compared with what a client of it sees."""

from collections.abc import Iterator, Sequence
from typing import Any

from roomwire import App
from roomwire.app.contract.document import document_of
from roomwire.app.contract.surface import surface_of
from roomwire.testing.client import Client


class Promised:
    """The contract of an application, as a client finds it in the AsyncAPI document."""

    def __init__(self, app: App) -> None:
        self.document = document_of(surface_of(app), auth_mode="optional")
        self._messages = {
            (channel["address"], id_): message
            for channel in self.document["channels"].values()
            for id_, message in channel["messages"].items()
        }

    async def call(self, client: Client, event: str, *args: Any) -> Any:
        """Call an event whose arguments the contract has; return the ack, which the contract has as well."""
        assert [] == [*self.problems_of_sending(client.namespace, event, args)]
        answer = await client.call(event, *args)
        given = [] if answer is None else [*answer] if isinstance(answer, tuple) else [answer]
        assert [] == [*self._problems(client.namespace, f"receive.{event}.ack", given)]
        return answer

    def problems_of_sending(self, namespace: str, event: str, args: Sequence[Any]) -> Iterator[str]:
        """Yield why the contract does not have an event with these arguments."""
        yield from self._problems(namespace, f"receive.{event}", args)

    def holds_for(self, client: Client) -> list[str]:
        """Return the names of the events that a client received, each of which is as the contract says."""
        for event in client.events:
            assert [] == [*self._problems(client.namespace, f"send.{event.name}", event.args)], event
        return [event.name for event in client.events]

    def _problems(self, namespace: str, id_: str, args: Sequence[Any]) -> Iterator[str]:
        # Its formats build grammars for seconds, which each worker of the tests would spend.
        import jsonschema

        message = self._messages[namespace, id_.replace(" ", ".20.")]
        schema = {**message["payload"], "components": self.document["components"]}
        yield from (error.message for error in jsonschema.Draft7Validator(schema).iter_errors([*args]))
