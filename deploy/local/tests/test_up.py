"""`roomwire up`: the whole system with any application, in two folders at once."""

import contextlib
import shutil
import signal

import pytest
from clients import js_clients

from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system, start_local_system

APPLICATION = """
from roomwire import App, Gateway, Socket, subscribe


class Board(Gateway):
    async def on_connection(self, socket: Socket) -> None:
        await socket.join("all")

    @subscribe("write")
    async def write(self, text: str) -> str:
        await self.emit("{event}", text, to="all")
        return "{event}"


app = App(Board)
"""


@pytest.fixture
def folders(tmp_path, starts_servers):
    """Return the folders of two applications, which have one module's name and different events."""
    made = []
    for event in ("first", "second"):
        folder = tmp_path / event
        folder.mkdir()
        (folder / "board.py").write_text(APPLICATION.format(event=event))
        made.append(folder)
    return made


async def test_two_applications_run_side_by_side_over_two_gateways_each(folders):
    with contextlib.ExitStack() as stack:
        systems = [
            stack.enter_context(local_system(folder, free_port(), application="board:app"))
            for folder in folders
        ]
        async with js_clients() as clients:
            for event, system in zip(("first", "second"), systems, strict=True):
                assert {"auth", "gateway-1", "gateway-2"} == set(system.ports)
                ann = await clients.connect(system.url, transports=["websocket"])
                ben = ann
                while await ben.gateway() == await ann.gateway():
                    ben = await clients.connect(system.url, transports=["websocket"])

                assert event == await ann.emit("write", f"to the {event}")
                assert [f"to the {event}"] == await ben.wait_for_event(event)
            # The second system, which `ben` was connected to last, heard nothing of the first.
            assert [] == [heard for heard in ben.events if "first" in str(heard)]
        for system in systems:
            processes = system.processes()
            assert 0 == system.stop(signal.SIGINT)
            assert [] == [process for process in processes if process.is_running()]


def test_an_application_that_cannot_be_loaded_starts_nothing(folders):
    system = start_local_system(folders[0], free_port(), application="board:ap")

    assert 1 == system.process.wait(60)
    assert "roomwire: import: board has no attribute 'ap': did you mean board:app?\n" == system.log
    assert not system.state.exists()


def test_a_gateway_that_does_not_start_ends_the_system_with_its_sentence(folders):
    (folders[0] / "board.py").write_text(
        APPLICATION.format(event="first").replace(
            "async def on_connection",
            "async def after_init(self) -> None:\n        raise ValueError('no')\n\n    async def on_connection",
        )
    )
    system = start_local_system(folders[0], free_port(), application="board:app")

    assert 1 == system.process.wait(60)
    assert "Board.after_init raised ValueError: no" in system.log
    assert "up: gateway-1 ends at once: its lines above say why" in system.log
    shutil.rmtree(system.state)
