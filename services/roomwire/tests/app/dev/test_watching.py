import asyncio
import sys

import pytest
from waiting import until

from roomwire.app.dev.watching import watch
from roomwire.errors import ConfigurationError


async def test_python_files_are_changes_and_others_are_none(tmp_path):
    (tmp_path / "inner").mkdir()
    changes = watch([tmp_path])
    seen = asyncio.create_task(anext(changes))
    saves = 0

    def saved():
        # Again and again: a save before the watch begins is none.
        nonlocal saves
        saves += 1
        (tmp_path / "orders.json").write_text(str(saves))
        (tmp_path / "inner" / "shop.py").write_text(str(saves))
        return seen.done()

    await until(saved, within_s=30)

    assert {str(tmp_path / "inner" / "shop.py")} == {path for _, path in await seen}
    await changes.aclose()


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'roomwire\[dev\]'"):
        watch([tmp_path])
