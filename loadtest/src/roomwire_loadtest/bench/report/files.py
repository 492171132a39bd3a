"""The files of a run: its JSON, its table and its plots."""

from pathlib import Path

from roomwire_loadtest.bench.report.markdown import report
from roomwire_loadtest.bench.report.plot import plot
from roomwire_loadtest.bench.results import Run


def write(run: Run, folder: Path, name: str) -> str:
    """Write the JSON, the table and the plots; returns the table."""
    folder.mkdir(parents=True, exist_ok=True)
    run.save(folder / f"{name}.json")
    return show(run, folder, name)


def show(run: Run, folder: Path, name: str) -> str:
    """Write the table and the plots, which depend only on the run; returns the table."""
    text = report(run, plot_file=f"{name}.svg")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    plot(run, [folder / f"{name}.svg", folder / f"{name}.png"])
    return text
