"""The contracts of examples: everything that they emit is declared, and they keep what they promise when they run."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest
from promised import Promised

from roomwire.app.contract.surface import surface_of

EXAMPLES = Path(__file__).resolve().parents[1]


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Return what imports the application of an example, from a copy of its folder in which npm has installed the client."""
    known = {*sys.modules}
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("BOARD_DATABASE", str(tmp_path / "board.sqlite3"))

    def load(folder, module):
        copy = tmp_path / folder
        shutil.copytree(EXAMPLES / folder, copy, ignore=shutil.ignore_patterns("node_modules"))
        (copy / "node_modules" / "socket.io-client" / "dist").mkdir(parents=True)
        for file in copy.glob("*.py"):
            # Another test may have imported the example itself.
            monkeypatch.delitem(sys.modules, file.stem, raising=False)
        sys.path.insert(0, str(copy))
        return importlib.import_module(module).app

    yield load
    for name in {*sys.modules} - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("folder", "module", "calls", "received"),
    [
        ("board", "board", [("add", "Write tests"), ("cards",)], {"card"}),
        ("chat", "chat", [("chat message", "hello", "1")], {"chat message"}),
        ("game", "game", [("join", "meadow", "Ann"), ("go", 0.25, 0.25)], {"gateway", "joined"}),
        ("notifications", "orders", [("watch", "a" * 22)], set()),
        ("talk", "talk", [("ask", "1", "Why?"), ("questions",)], {"asked"}),
    ],
)
async def test_an_example_keeps_what_its_contract_promises(nodes, example, folder, module, calls, received):
    app = example(folder, module)
    promised = Promised(app)
    async with nodes(app) as cluster:
        ann = await cluster.connect("ann")
        for event, *args in calls:
            await promised.call(ann, event, *args)
        await cluster.settle()

        assert received <= {*promised.holds_for(ann)}
    assert [] == [sentence for sentence in surface_of(app).not_known if "lifespan" not in sentence]
