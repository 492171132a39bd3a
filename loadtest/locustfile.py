"""The simulated users of `make load` for plain locust: `locust -f loadtest/locustfile.py --host http://127.0.0.1:3000`.

They run headless, with the web page, or distributed, against any host, like any locustfile. `--scenario` (`LOAD_SCENARIO`, a
field of the web page) selects their behaviour. Failures are in locust's statistics and exit code; `make load` adds the
judge and the report.
"""

from typing import Any

from locust import events

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.load.people import Course, Person
from roomwire_loadtest.load.scenarios import SCENARIOS


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # locust's hooks have no types
def _scenario(parser: Any) -> None:
    titles = "; ".join(f"{name}: {one.title}" for name, one in SCENARIOS.items())
    parser.add_argument(
        "--scenario",
        choices=list(SCENARIOS),
        default="mixed",
        env_var="LOAD_SCENARIO",
        help=f"What people do. {titles}.",
    )


def _forget(_: Entry) -> None:
    """Keep no journal, because without a judge nothing reads it."""


class Chatting(Person):
    """A simulated user with the behaviour of `--scenario`."""

    def course(self) -> Course:
        """Return the scenario of the command line or of the web page."""
        return Course(scenario=SCENARIOS[self.environment.parsed_options.scenario], write=_forget)
