"""The types for the official client: a right use compiles under `tsc --strict`, and each wrong one is reported where it stands."""

import re

import contracted
import msgspec
import pytest
from official import compiled

from roomwire import App, Gateway, emits, subscribe
from roomwire.app.contract.document import document_of
from roomwire.app.contract.reading import read
from roomwire.app.contract.surface import surface_of
from roomwire.app.contract.typescript import typescript_of

HEAD = """
import { io, type Socket } from "socket.io-client";
import type { Auth, Card, ClientToServerEvents, ServerToClientEvents } from "./events";

const auth: Auth = { color: "red", token: "…" };
const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io({ auth });
const card: Card = { id: "1", column: "done" };
"""
RIGHT = """
type Plain = Socket<ServerToClientEvents<"/plain">, ClientToServerEvents<"/plain">>;
const plain: Plain = io("/plain");

socket.on("moved", ({ column }) => { const known: "to do" | "done" = column; });
socket.on("moved", (card, offset) => { const known: string | undefined = offset; });
socket.on("counted", (number) => { const known: number = number; });
socket.on("reset", () => {});
socket.on("drawn", (picture) => { const bytes: number = picture.byteLength; });
socket.on("welcome", (color) => { const known: unknown = color; });
socket.on("exception", ({ code, message }) => { if (code === "forbidden" || code === "sold_out") console.log(message); });

socket.emit("move", card, (answer) => { console.log("error" in answer ? answer.error.retryable : answer.column); });
socket.emit("move", card, 2, () => {});
socket.emit("rename card", { cardId: "1", title: "One" });
socket.emit("rename card", { cardId: "1", title: "One", note: null }, (failed) => { console.log(failed?.error.code); });
socket.timeout(1_000).emit("rename card", { cardId: "1", title: "One" }, (error, failed) => {
  const known: [Error, string | undefined] = [error, failed?.error.message];
});
socket.emit("count", (...answer) => { if (answer.length === 2) { const known: [number, string] = answer; } });
socket.emit("draw", new Uint8Array(3), () => {});
const found: Card | { error: object } | undefined = await socket.emitWithAck("find", "1");
plain.emit("say", "hello");
"""
WRONG = """
const other: Auth = { color: 1 }; // wrong
const nowhere: ServerToClientEvents<"/nowhere"> = {}; // wrong
socket.on("moved", (card: number) => {}); // wrong
socket.on("counted", (one: number, two: number) => {}); // wrong
socket.on("welcome", (color: string) => {}); // wrong
socket.on("nothing", () => {}); // wrong
socket.emit("nothing"); // wrong
socket.emit("moved", card); // wrong
socket.emit("move", card); // wrong
socket.emit("move", { id: "1" }, () => {}); // wrong
socket.emit("move", { id: "1", column: "late" }, () => {}); // wrong
socket.emit("move", card, "two", () => {}); // wrong
socket.emit("rename card", { cardId: "1" }); // wrong
socket.emit("find", "1", (answer) => { const card: Card = answer; }); // wrong
socket.emit("draw", 1, () => {}); // wrong
const wrong: Card = await socket.emitWithAck("find", "1"); // wrong
await socket.emitWithAck("find", 1); // wrong
"""


def types_of(app):
    return typescript_of(read(document_of(surface_of(app), auth_mode="required")))


def test_a_right_use_compiles_and_each_wrong_one_is_reported(tmp_path):
    (tmp_path / "events.ts").write_text(types_of(contracted.app))
    (tmp_path / "right.ts").write_text(HEAD + RIGHT)
    (tmp_path / "wrong.ts").write_text(HEAD + WRONG)

    said = compiled(tmp_path)

    reported = {(file, int(line)) for file, line in re.findall(r"(\w+\.ts)\((\d+),\d+\): error", said)}
    lines = enumerate((HEAD + WRONG).splitlines(), start=1)
    assert {("wrong.ts", number) for number, line in lines if line.endswith("// wrong")} == reported, said


class Odd(msgspec.Struct):
    """A comment that ends: */ and goes on."""

    class_: int = msgspec.field(name="class")
    two_words: str = msgspec.field(name="two words")


class Rows(msgspec.Struct, array_like=True):
    number: int
    text: str


class Strange(Gateway, namespace="/a-b"):
    """It has what is hard to write."""

    default = emits("default", Odd, Rows)

    @subscribe("two words")
    async def function(self, default: Odd, function: Rows, ack: bool) -> tuple[int, ...]: ...

    @subscribe("class")
    async def several(self, value: int) -> tuple[int, str] | Rows | None: ...


def test_names_and_types_that_typescript_writes_in_another_way_compile(tmp_path):
    (tmp_path / "events.ts").write_text(types_of(App(Strange)))
    (tmp_path / "use.ts").write_text("""
import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, Odd, Rows, ServerToClientEvents } from "./events";

const odd: Odd = { class: 1, "two words": "" };
const socket: Socket<ServerToClientEvents<"/a-b">, ClientToServerEvents<"/a-b">> = io("/a-b");
const rows: Rows = [1, "one"];
socket.emit("two words", odd, rows, true, (...answer) => {});
socket.emit("class", 1, (...answer) => {});
""")

    assert "" == compiled(tmp_path)


@pytest.mark.parametrize("sentence", surface_of(contracted.app).not_known)
def test_what_is_not_known_stands_in_the_file(sentence):
    assert f"// - {sentence}\n" in types_of(contracted.app)
