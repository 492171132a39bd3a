"""`roomwire dev` in a process of its own: saves of a file, and what becomes of the application."""

import asyncio
import os
import pathlib
import signal

import pytest
from developing import developing, lives
from live import Client
from waiting import until

from roomwire_local.system import is_listening

# Each start of a process imports everything: on a busy machine it takes a while.
pytestmark = pytest.mark.timeout(300)

SHOP = """
import asyncio
import contextlib
import pathlib

from roomwire import App, Gateway, subscribe


class Shop(Gateway):
    @subscribe("price")
    async def price(self, item: str) -> str:
        return "one"


app = App(Shop)
"""
LIFESPAN = """
@contextlib.asynccontextmanager
async def lifespan(app):
    DO
    yield


app = App(Shop, lifespan=lifespan)
"""
FAILS_LATER = """
async def fails():
    await until_there("gate")
    raise KeyError("late")


async def until_there(name):
    while not pathlib.Path(name).exists():
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def lifespan(app):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fails())
        yield


app = App(Shop, lifespan=lifespan)
"""


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.py"
    path.write_text(SHOP)
    return path


async def price_of(dev):
    async with Client.connected(dev.address, {"token": await dev.token("Ann")}) as client:
        return await client.emit("price", "tea")


async def test_after_a_save_the_new_code_answers_and_the_old_process_is_gone(shop):
    async with developing(shop.parent, "shop:app") as dev:
        first = await dev.serving()
        assert "one" == await price_of(dev)

        shop.write_text(SHOP.replace("one", "two"))
        await dev.serving(start=2)

        assert not lives(first["pid"])
        assert "two" == await price_of(dev)


async def test_who_connects_during_a_restart_waits_instead_of_being_refused(shop):
    waiting = "while not pathlib.Path('gate').exists(): await asyncio.sleep(0.01)"
    async with developing(shop.parent, "shop:app") as dev:
        await dev.serving()
        shop.write_text(SHOP + LIFESPAN.replace("DO", waiting))
        await dev.scene(lambda scene: scene["phase"] == "starting" and scene["start"] == 2)

        host, _, port = dev.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        (shop.parent / "gate").touch()
        async with asyncio.timeout(60):
            assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
        writer.close()


async def test_a_change_that_fails_leaves_the_console_and_shows_why_and_the_next_good_one_serves(shop):
    async with developing(shop.parent, "shop:app") as dev:
        good = await dev.serving()
        shop.write_text(f"{SHOP}\nclass Broken(:\n")
        failed = await dev.scene(has_failed)

        assert failed["sentence"].startswith("import: shop raised SyntaxError: ")
        assert good["application"] == failed["application"]
        assert 'shop.py", line 17' in failed["traceback"].splitlines()[0]
        assert failed["traceback"] in dev.terminal

        shop.write_text(SHOP.replace("one", "two"))
        mended = await dev.serving(start=failed["start"] + 1)
        assert ("", "") == (mended["sentence"], mended["traceback"])
        assert "two" == await price_of(dev)


@pytest.mark.parametrize(
    ("text", "sentence", "traceback"),
    [
        (SHOP.replace("item: str", "item"), "parameter 'item' has no annotation", ()),
        (
            SHOP + LIFESPAN.replace("DO", "raise KeyError('till')"),
            "lifespan: the lifespan raised KeyError: 'till'",
            ("Traceback", "shop.py", "KeyError: 'till'"),
        ),
        (f"import os\nos._exit(3)\n{SHOP}", "the application's process ended with status 3", ()),
    ],
    ids=["binding", "lifespan", "exit"],
)
async def test_an_application_that_cannot_be_served_is_shown_and_served_once_it_is_mended(
    shop, text, sentence, traceback
):
    shop.write_text(text)
    async with developing(shop.parent, "shop:app") as dev:
        failed = await dev.scene(has_failed)
        first, second, *_, last = failed["traceback"].splitlines() or [""] * 3

        assert sentence in failed["sentence"]
        assert sentence in dev.terminal
        assert all(part in line for part, line in zip(traceback, (first, second, last), strict=False))
        assert failed["traceback"] in dev.terminal

        shop.write_text(SHOP)
        await dev.serving(start=failed["start"] + 1)


def has_failed(scene):
    return scene["phase"] == "failed"


async def test_an_application_that_fails_while_it_serves_is_shown_as_failed(shop):
    shop.write_text(SHOP + FAILS_LATER)
    async with developing(shop.parent, "shop:app") as dev:
        await dev.serving()
        (shop.parent / "gate").touch()

        failed = await dev.scene(has_failed)

        assert "lifespan: the lifespan raised ExceptionGroup: " in failed["sentence"]
        assert "KeyError: 'late'" in failed["traceback"]


async def test_its_end_is_the_end_of_the_application_too(shop):
    async with developing(shop.parent, "shop:app") as dev:
        scene = await dev.serving()

        assert 0 == await dev.stop()

        assert not lives(scene["pid"])
        assert "Traceback" not in dev.terminal
        assert not is_listening(int(dev.address.partition(":")[2]))


async def test_ctrl_c_ends_both_while_the_application_still_starts(shop):
    async with developing(shop.parent, "shop:app") as dev:
        scene = await dev.scene(lambda scene: scene["pid"])
        # The shell sends it to both; the child may be anywhere in its imports.
        await until(lambda: ignores_ctrl_c(scene["pid"]), within_s=30)
        os.kill(scene["pid"], signal.SIGINT)
        os.kill(dev.process.pid, signal.SIGINT)

        async with asyncio.timeout(60):
            assert 0 == await dev.process.wait()
        assert not lives(scene["pid"])
        assert "Traceback" not in dev.terminal


def ignores_ctrl_c(pid):
    """Say whether a process of Linux ignores SIGINT, or handles it; elsewhere that cannot be seen."""
    status = pathlib.Path(f"/proc/{pid}/status")
    if not status.exists():
        return True
    masks = dict(line.split(":\t") for line in status.read_text().splitlines() if line.startswith("Sig"))
    return int(masks["SigIgn"], 16) >> (signal.SIGINT - 1) & 1


async def test_the_application_does_not_outlive_a_supervisor_that_was_killed(shop):
    async with developing(shop.parent, "shop:app") as dev:
        scene = await dev.serving()
        dev.process.kill()
        await dev.process.wait()

        await until(lambda: not lives(scene["pid"]), within_s=30)
