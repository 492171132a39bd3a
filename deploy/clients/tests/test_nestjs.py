"""Runs the same gateways on NestJS and on Roomwire: official clients receive the same bytes, except what the page lists."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from beside import INSTALL_S, beside, compile_nestjs, served
from nestjs_cases import ALIKE, cases, frames
from nestjs_page import cells, differences

from kinds import NODE

pytestmark = [pytest.mark.clients, pytest.mark.timeout(INSTALL_S)]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """The frames that clients of NestJS and of Roomwire receive, by case."""
    return asyncio.run(_received(tmp_path_factory.mktemp("alike")))


async def _received(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    for program in (*ALIKE.glob("*.ts"), *ALIKE.glob("*.py")):
        shutil.copy(program, folder)
    await compile_nestjs(folder)
    async with (
        beside(NODE, "gateways.js", "PORT", folder=folder) as nestjs,
        served("gateways:app", folder=folder) as roomwire,
    ):
        return await asyncio.gather(frames(nestjs, "nestjs"), frames(roomwire, "roomwire"))


@pytest.mark.parametrize("case", [case.name for case in cases()])
def test_clients_receive_the_same_or_what_the_page_lists(
    received: tuple[dict[str, Any], dict[str, Any]], case: str
) -> None:
    nestjs, roomwire = (side[case] for side in received)
    listed = differences().get(case)

    assert (None if nestjs == roomwire else cells(nestjs, roomwire)) == (listed and listed[:2])


def test_each_listed_difference_has_a_case_and_a_reason() -> None:
    names = {case.name for case in cases()}

    assert [] == [case for case, (*_, reason) in differences().items() if case not in names or not reason]
