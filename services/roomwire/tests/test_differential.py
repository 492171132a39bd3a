"""The same programs on python-socketio's server and on ours: clients get the same bytes.

Every public method of `socketio.AsyncServer` and `socketio.AsyncNamespace`, and every parameter of each, is
exercised by a program (differential/), or stands in `ELSEWHERE`: a release that brings a new one fails here.
What is meant to differ stands in `differential.differences`.
"""

import inspect

import pytest
import socketio
from differential import connections, events, namespaces, rooms, surface
from differential.harness import PROGRAMS, SERVERS, transcript

from roomwire import Server

ELSEWHERE = {
    "attach": "ASGI has nothing to attach to: test_differences",
    "attach.app": "the same",
    "attach.socketio_path": "the same",
    "handle_request.kwargs": "an ASGI server calls it with three arguments, by position",
    "instrument": "test_differential_admin",
    "instrument.auth": "the same",
    "instrument.mode": "the same",
    "instrument.namespace": "the same",
    "instrument.read_only": "the same",
    "instrument.server_id": "the same",
    "instrument.server_stats_interval": "the same",
}
"""What no program here calls, and where it is tested."""

# Logs in JSON, into memory: tracebacks on a terminal take longer than the programs.
pytestmark = pytest.mark.usefixtures("log_lines")

OWN = {"eio", "manager", "packet_class", "not_handled"}
"""Attributes that are ours to fill: an engine, a manager, a class, a mark."""

MODULES = (events, rooms, namespaces, connections)


@pytest.mark.parametrize("options", [{}, {"async_handlers": False}], ids=["concurrent", "in order"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_clients_get_the_same_bytes(program, options):
    stock, fast, asgi = [await transcript(kind, program, **options) for kind in SERVERS]
    assert stock == fast
    assert stock == asgi


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_polling_clients_get_the_same_packets(program):
    stock, ours = [await transcript(kind, program, "polling") for kind in ("stock", "asgi")]
    assert stock == ours


async def test_every_public_method_and_parameter_is_exercised(monkeypatch):
    calls = surface.recorded(monkeypatch)
    for program in PROGRAMS:
        await transcript("stock", program)
    assert set(ELSEWHERE) == surface.surface() - calls


MORE = {("emit", "message_id"), ("emit", "keeps_history"), ("emit", "except_rooms"), ("emit", "volatile")}
"""What a method of ours takes beside the arguments of stock; by keyword only."""


async def test_no_public_method_is_missing_or_takes_other_arguments():
    more = set()
    for name, function in surface.methods(socketio.AsyncServer):
        ours = inspect.signature(getattr(Server, name)).parameters.values()
        stock = inspect.signature(function).parameters.values()
        known = {each.name for each in stock}
        more |= {(name, each.name) for each in ours if each.name not in known}
        assert [(each.name, each.kind, each.default) for each in stock] == [
            (each.name, each.kind, each.default) for each in ours if each.name in known
        ]
    assert more == MORE
    for name, argument in MORE:
        parameter = inspect.signature(getattr(Server, name)).parameters[argument]
        assert parameter.kind is parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", sorted(surface.attributes() - OWN))
def test_public_attributes_begin_alike(name):
    stock, ours = socketio.AsyncServer(async_mode="asgi"), Server()
    assert getattr(stock, name) == getattr(ours, name)
