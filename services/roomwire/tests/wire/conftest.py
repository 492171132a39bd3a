"""The fixture application, served in every way there is."""

import pytest
from fixtures.protocol import eio_app, sio_app
from peers import WAYS, peer_by


@pytest.fixture(params=list(WAYS))
def way(request):
    return request.param


@pytest.fixture
async def eio(way, starts_servers):
    async with peer_by(way, eio_app(), "/engine.io/") as peer:
        yield peer


@pytest.fixture
async def sio(way, starts_servers):
    async with peer_by(way, sio_app(), "/socket.io/") as peer:
        yield peer


@pytest.fixture(params=["eio", "sio"])
async def peer(request, way, starts_servers):
    app, path = (eio_app(), "/engine.io/") if request.param == "eio" else (sio_app(), "/socket.io/")
    async with peer_by(way, app, path) as found:
        yield found
