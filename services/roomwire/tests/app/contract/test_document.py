"""The AsyncAPI document: AsyncAPI's own parser reads it, it stays the same, and the running gateway keeps what it promises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import contracted
import msgspec
import pytest
from official import parsed
from promised import Promised

from roomwire import App, Gateway, subscribe
from roomwire.app.contract.document import document_of
from roomwire.app.contract.surface import surface_of
from roomwire.testing import Refused


class Tenant(Gateway, namespace="/{plan}-{tenant}"):
    @subscribe("ask")
    async def ask(self, plan: Literal["free", "paid"], tenant: int) -> int: ...


def document(app, auth_mode="required"):
    return document_of(surface_of(app), auth_mode=auth_mode)


def test_asyncapis_own_parser_takes_the_document_and_refuses_another(tmp_path):
    whole = document(contracted.app)
    (tmp_path / "whole.json").write_bytes(msgspec.json.encode(whole))
    (tmp_path / "pattern.json").write_bytes(msgspec.json.encode(document(App(Tenant))))
    (tmp_path / "lacking.json").write_bytes(msgspec.json.encode({**whole, "channels": {}}))

    read = [
        json.loads(line)
        for line in parsed(
            *[tmp_path / f"{name}.json" for name in ("whole", "lacking", "pattern")]
        ).splitlines()
    ]

    assert ["whole.json", len(whole["operations"]), []] == read[0]
    assert read[1][2]
    assert ["pattern.json", 3, []] == read[2]


def test_a_pattern_is_a_channel_with_parameters():
    (channel,) = document(App(Tenant))["channels"].values()

    assert "/{plan}-{tenant}" == channel["address"]
    assert {"plan": {"enum": ["free", "paid"]}, "tenant": {}} == channel["parameters"]


def test_two_runs_write_the_same_bytes():
    command = [sys.executable, "-m", "roomwire", "contract", "contracted:app"]
    written = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed, "ROOMWIRE_REDIS_URL": "memory://"},
            cwd=Path(contracted.__file__).parent,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert 1 == len(written)


@pytest.mark.parametrize("auth_mode", ["required", "optional", "off"])
def test_a_connection_says_whether_it_needs_a_token(auth_mode):
    written = document(contracted.app, auth_mode)

    assert auth_mode == written["operations"]["root.connect"]["x-roomwire-auth-mode"]
    assert ("security" in written["operations"]["root.connect"]) == (auth_mode == "required")
    assert ("securitySchemes" in written["components"]) == (auth_mode != "off")


def test_different_names_have_different_ids():
    class Odd(Gateway, namespace="/root"):
        @subscribe("a b")
        async def first(self) -> None: ...

        @subscribe("a_b")
        async def second(self) -> None: ...

        @subscribe("a.20.b")
        async def third(self) -> None: ...

    class Root(Gateway): ...

    written = document(App(Odd, Root))

    assert {"/": "root", "/root": ".72.oot"} == {
        channel["address"]: id_ for id_, channel in written["channels"].items()
    }
    ids = [
        id_
        for id_, each in written["channels"][".72.oot"]["messages"].items()
        if each["name"].startswith("a")
    ]
    assert 6 == len(ids) == len({*ids})


def test_a_type_of_the_application_keeps_its_name_where_ours_is_the_same():
    class Failure(msgspec.Struct):
        mine: int

    class Board(Gateway):
        @subscribe("fail")
        async def fail(self, failure: Failure) -> None: ...

    schemas = document(App(Board))["components"]["schemas"]

    assert [["mine"], ["code", "message", "retryable"]] == [
        [*schemas[name]["properties"]] for name in ("Failure", "Failure_")
    ]


async def test_the_running_gateway_keeps_what_the_contract_promises(nodes):
    app = App(contracted.Board, contracted.Plain)
    promised = Promised(app)
    card = {"id": "1", "column": "done", "tags": []}
    async with nodes(app, provide={contracted.Database: contracted.Database()}) as cluster:
        ann = await cluster.connect("ann", auth={"color": "red"})
        for event, args in (
            ("move", [card]),
            ("move", [card, 2]),
            ("count", []),
            ("find", ["1"]),
            ("find", ["gone"]),
            ("draw", [b"picture"]),
            ("look", []),
            ("save", []),
            ("typing", ["board"]),
            ("list", [2]),
        ):
            await promised.call(ann, event, *args)
        with pytest.raises(Refused, match="does not exist"):
            await ann.call("find", "none")
        await cluster.settle()

        received = promised.holds_for(ann)
        assert {"welcome", "moved", "counted", "drawn", "presence", "shown", "list"} == {*received}


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("move", []),
        ("move", [{"id": "1"}]),
        ("move", [{"id": "1", "column": "late"}]),
        ("move", [{"id": "1", "column": "done"}, "two"]),
        ("rename card", [{"cardId": "1"}]),
        ("rename card", [{"cardId": "1", "title": ""}]),
        ("find", [1]),
    ],
)
async def test_what_the_contract_does_not_have_the_running_gateway_refuses(nodes, event, args):
    app = App(contracted.Board, contracted.Plain)
    assert [*Promised(app).problems_of_sending("/", event, args)]
    async with nodes(app, provide={contracted.Database: contracted.Database()}) as cluster:
        ann = await cluster.connect("ann")
        with pytest.raises(Refused) as refused:
            await ann.call(event, *args)

    assert "invalid_body" == refused.value.code


async def test_a_contract_that_lies_fails(nodes):
    class Liar(Gateway):
        @subscribe("count")
        async def count(self) -> int:
            return "many"

    app = App(Liar)
    async with nodes(app) as cluster:
        ann = await cluster.connect("ann")
        with pytest.raises(AssertionError):
            await Promised(app).call(ann, "count")
