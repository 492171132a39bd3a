"""The files of a round of measurements, and the documents that show it."""

from pathlib import Path

from roomwire_loadtest.capacity.costs.results import NAME, Result
from roomwire_loadtest.capacity.report.document import PATHS, filled
from roomwire_loadtest.capacity.report.picture import draw
from roomwire_loadtest.capacity.report.tables import report
from roomwire_loadtest.checkout import RESULTS


def write(result: Result, folder: Path) -> None:
    """Write the JSON, the report and the picture, and, for the kept results, the documents' marked parts."""
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder / f"{NAME}.json")
    (folder / f"{NAME}.md").write_text(report(result), encoding="utf-8")
    draw(result, [folder / f"{NAME}.svg", folder / f"{NAME}.png"])
    if folder == RESULTS:
        for path in PATHS:
            path.write_text(filled(path.read_text("utf-8"), result), encoding="utf-8")
