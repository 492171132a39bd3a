"""A program of Reflex: a counter, steps that are shown one by one, work in the background, and a state of 5 MB."""

import asyncio
from collections.abc import AsyncIterator

import reflex

LARGE = 5_000_000
STEPS = 5


class Board(reflex.State):
    """The state of a tab."""

    count: int = 0
    step: int = 0
    large: str = ""
    served_by: str = ""

    @reflex.event
    def add(self, by: int) -> None:
        """Count, and say which server serves."""
        self.count += by
        self.served_by = type(app.sio).__module__

    @reflex.event
    async def advance(self) -> AsyncIterator[None]:
        """Show each step as it is reached."""
        for step in range(1, STEPS + 1):
            self.step = step
            yield

    @reflex.event(background=True)
    async def work(self) -> None:
        """Count after the handler has ended."""
        await asyncio.sleep(0)
        async with self:
            self.count += 100

    @reflex.event
    def enlarge(self) -> None:
        """Fill the state."""
        self.large = "x" * LARGE


def index() -> reflex.Component:
    """Show the state."""
    return reflex.vstack(
        reflex.text(Board.count),
        reflex.text(Board.step),
        reflex.text(Board.large),
        reflex.button("Add", on_click=Board.add(1)),
        reflex.button("Advance", on_click=Board.advance),
        reflex.button("Work", on_click=Board.work),
        reflex.button("Large", on_click=Board.enlarge),
    )


app = reflex.App()
app.add_page(index, route="/")
