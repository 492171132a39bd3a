"""A page of NiceGUI: a button, an input, a timer, a table, a question to the browser, and a text of 5 MB."""

import os

from nicegui import core, ui

LARGE = 5_000_000
ROWS = [{"name": name, "age": age} for name, age in (("Ann", 41), ("Bob", 7))]


def named(element: ui.element, name: str) -> ui.element:
    """Give an element the name by which the test finds it."""
    return element.props(f"data-testid={name}")


@ui.page("/")
def board() -> None:
    """Show the elements."""
    named(ui.label(f"{type(core.sio).__module__.split('.')[0]}"), "server")

    clicks = ui.label("0")
    named(clicks, "clicks")
    named(ui.button("Count", on_click=lambda: clicks.set_text(str(int(clicks.text) + 1))), "count")

    named(ui.input("Name", on_change=lambda event: greeting.set_text(f"Hello {event.value}")), "name")
    greeting = ui.label("")
    named(greeting, "greeting")

    ticks = ui.label("0")
    named(ticks, "ticks")
    ui.timer(0.1, lambda: ticks.set_text(str(int(ticks.text) + 1)))

    columns = [{"name": key, "label": key, "field": key, "sortable": True} for key in ("name", "age")]
    table = ui.table(columns=columns, rows=[dict(row) for row in ROWS], row_key="name")
    named(table, "table")
    named(ui.button("Row", on_click=lambda: table.add_row({"name": "Cleo", "age": 3})), "row")

    async def ask() -> None:
        answer.set_text(str(await ui.run_javascript("return 6 * 7")))

    answer = ui.label("")
    named(answer, "answer")
    named(ui.button("Ask", on_click=ask), "ask")

    large = ui.label("")
    named(large.classes("hidden"), "large")
    named(ui.button("Large", on_click=lambda: large.set_text("x" * LARGE)), "enlarge")


ui.run(host="127.0.0.1", port=int(os.environ["PORT"]), reload=False, show=False, title="Board")
