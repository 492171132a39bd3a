"""TLS at the public port: the certificate, and the service that speaks it."""

import asyncio
import socket
import ssl

import httpx
import pytest
import websockets
from living import FakeApplication, living
from pydantic import Field
from structlog.testing import capture_logs
from waiting import until

from roomwire import Server
from roomwire.engine.fast import fast_websocket
from roomwire.engine.fast_socket import FastSocket
from roomwire.errors import ConfigurationError
from roomwire.metrics.http import HttpMetrics
from roomwire.serving import listener, process, tls
from roomwire.serving.application import State
from roomwire.serving.settings import ServiceSettings
from roomwire.serving.tls import Certificate, vouched_for_by
from roomwire_local.certificates import Authority


class Settings(ServiceSettings):
    port: int = Field(0, description="Public port.")
    ops_port: int = Field(0, description="Operations port.")


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def files(authority, tmp_path):
    return authority.write(tmp_path, "127.0.0.1")


@pytest.fixture
def settings(files, free_port_factory):
    chain, key = files
    return Settings(
        port=free_port_factory(), ops_port=free_port_factory(), tls_cert_file=chain, tls_key_file=key
    )


@pytest.fixture
def trusting(files):
    """What a client demands that knows the authority, and is as strict as Python 3.13."""
    context = vouched_for_by(files[0].with_name("ca.crt"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def shown(context, port):
    """Return the certificate that a server shows now."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        return secure.getpeercert(binary_form=True)


# The certificate.


@pytest.mark.parametrize(
    ("chain", "key"),
    [("none", "tls.key"), ("tls.crt", "none"), ("tls.key", "tls.crt"), ("ca.crt", "tls.key")],
)
def test_files_that_cannot_be_used_are_a_sentence(files, chain, key):
    folder = files[0].parent

    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_TLS_CERT_FILE, ROOMWIRE_TLS_KEY_FILE: "):
        Certificate(folder / chain, folder / key)


def test_a_key_with_a_passphrase_is_a_sentence_and_nobody_is_asked_for_it(files):
    from cryptography.hazmat.primitives import serialization

    chain, key = files
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(ConfigurationError, match="ROOMWIRE_TLS_KEY_FILE"):
        Certificate(chain, key)


def test_a_pair_that_does_not_belong_together_is_told_and_not_used(authority, files):
    chain, key = files
    known = Certificate(chain, key)
    chain.write_text(authority.issue("127.0.0.1")[0])

    with capture_logs() as logs:
        known.reread()
        known.reread()

    assert ["certificate not read"] * 2 == [line["event"] for line in logs]
    assert "PRIVATE" not in str(logs)


def test_files_that_are_as_they_were_are_not_taken_again(files):
    known = Certificate(*files)

    with capture_logs() as logs:
        known.reread()

    assert [] == logs


def test_old_versions_of_tls_are_not_spoken(files):
    assert ssl.TLSVersion.TLSv1_2 == Certificate(*files).context.minimum_version


def test_authorities_that_cannot_be_read_are_a_sentence(files, tmp_path):
    (tmp_path / "empty").write_text("")
    for name in ("none", "empty", "tls.key"):
        with pytest.raises(ConfigurationError, match=f"{name}: "):
            vouched_for_by(tmp_path / name)


# The service.


@pytest.mark.parametrize("setting", ["TLS_CERT_FILE", "TLS_KEY_FILE"])
def test_a_certificate_and_its_key_are_set_together(setting, monkeypatch, files):
    monkeypatch.setenv(f"ROOMWIRE_{setting}", str(files[0]))

    with pytest.raises(ConfigurationError, match="set ROOMWIRE_TLS_CERT_FILE and ROOMWIRE_TLS_KEY_FILE"):
        Settings.load()


def test_check_config_reads_the_certificate(monkeypatch, capsys, tmp_path):
    for name in ("CERT", "KEY"):
        monkeypatch.setenv(f"ROOMWIRE_TLS_{name}_FILE", str(tmp_path / "none"))

    status = process.main(
        "tested", settings=Settings, build=lambda _: FakeApplication(), argv=["check-config"]
    )

    assert 2 == status
    assert capsys.readouterr().err.startswith("tested: ROOMWIRE_TLS_CERT_FILE, ROOMWIRE_TLS_KEY_FILE: ")


async def test_the_public_port_speaks_tls_and_the_operations_port_does_not(settings, trusting):
    async with (
        living(FakeApplication(), settings) as (process, *_),
        httpx.AsyncClient(trust_env=False, verify=trusting) as http,
    ):
        await until(lambda: process.state is State.READY)

        assert "public" == (await http.get(f"https://127.0.0.1:{settings.port}")).text
        assert 200 == (await http.get(f"http://127.0.0.1:{settings.ops_port}/readyz")).status_code
        with pytest.raises(httpx.TransportError):
            await http.get(f"http://127.0.0.1:{settings.port}")


async def test_a_renewed_certificate_is_shown_to_new_connections_and_open_ones_stay(
    settings, authority, trusting, monkeypatch
):
    monkeypatch.setattr(listener, "REREAD_S", 0.01)
    folder = settings.tls_cert_file.parent
    async with (
        living(FakeApplication(), settings) as (process, *_),
        httpx.AsyncClient(trust_env=False, verify=trusting) as http,
    ):
        await until(lambda: process.state is State.READY)
        await http.get(f"https://127.0.0.1:{settings.port}")
        before = await asyncio.to_thread(shown, trusting, settings.port)
        authority.write(folder, "127.0.0.1")

        async def another_is_shown():
            return before != await asyncio.to_thread(shown, trusting, settings.port)

        await until(another_is_shown)
        assert "public" == (await http.get(f"https://127.0.0.1:{settings.port}")).text


async def test_a_further_port_shows_the_same_certificate_and_renews_it(
    settings, authority, trusting, monkeypatch
):
    monkeypatch.setattr(listener, "REREAD_S", 0.01)
    app = FakeApplication()
    port = listener.SidePort(app.asgi, settings, "port", metrics=HttpMetrics(app.registry))
    async with httpx.AsyncClient(trust_env=False, verify=trusting) as http:
        await port.open()
        try:
            assert "public" == (await http.get(f"https://127.0.0.1:{settings.port}")).text
            before = await asyncio.to_thread(shown, trusting, settings.port)
            authority.write(settings.tls_cert_file.parent, "127.0.0.1")

            async def another_is_shown():
                return before != await asyncio.to_thread(shown, trusting, settings.port)

            await until(another_is_shown)
        finally:
            await port.close()


async def test_who_does_not_finish_the_handshake_is_cut_off(settings):
    settings = settings.model_copy(update={"header_timeout_s": 0.1})
    async with living(FakeApplication(), settings) as (process, *_):
        await until(lambda: process.state is State.READY)
        reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
        async with asyncio.timeout(60):
            assert b"" == await reader.read()
        writer.close()


async def test_websockets_over_tls_take_the_fast_path(settings, trusting):
    server = Server(async_mode="asgi")
    made, make = [], fast_websocket(server.eio, "/socket.io/")

    def noted(**options):
        made.append(make(**options))
        return made[-1]

    application = FakeApplication()
    application.websocket = noted
    async with living(application, settings) as (process, *_):
        await until(lambda: process.state is State.READY)
        url = f"wss://127.0.0.1:{settings.port}/socket.io/?EIO=4&transport=websocket"
        async with websockets.connect(url, proxy=None, ssl=trusting) as client:
            assert (await client.recv()).startswith("0{")
            await client.send("40")
            assert (await client.recv()).startswith("40{")

            (dispatch,) = made
            assert isinstance(dispatch._protocol, FastSocket)
            assert isinstance(dispatch._transport.get_extra_info("sslcontext"), ssl.SSLContext)
            await client.send("0" * 100_000)  # no packet of Engine.IO: it is the reader that says so
            with pytest.raises(websockets.ConnectionClosed):
                await client.recv()
    await server.shutdown()


def test_the_files_are_looked_at_often_enough_for_a_renewal_and_seldom_enough_for_a_loop():
    assert 1 <= tls.REREAD_S <= 60
