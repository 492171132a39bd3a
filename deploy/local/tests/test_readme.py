"""The README tells the truth: its settings are the code's, its gateway runs."""

import re
from pathlib import Path

import pytest

from roomwire import Gateway
from roomwire.serving.settings import ServiceSettings, Setting
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
SHARED = set(ServiceSettings.model_fields) - {"port", "ops_port"}


def row(setting: Setting) -> str:
    return f"| `{setting.variable}` | {f'`{setting.default}`' if setting.default else ''} | {setting.description} |"


def rows(settings: type[ServiceSettings], *, shared: bool) -> list[str]:
    names = {f"ROOMWIRE_{name.upper()}" for name in SHARED}
    return [row(setting) for setting in settings.listing() if (setting.variable in names) is shared]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Settings of both services", rows(GatewaySettings, shared=True)),
        ("Settings of the gateway", rows(GatewaySettings, shared=False)),
        ("Settings of auth", rows(AuthSettings, shared=False)),
    ],
)
def test_the_readme_lists_every_setting_with_its_default(heading, expected):
    section = README.partition(f"### {heading}\n")[2].partition("\n#")[0]
    listed = [line for line in section.splitlines() if line.startswith("| `")]
    assert expected == listed, "make the table of the README:\n" + "\n".join(expected)


def test_the_gateway_of_the_readme_takes_30_lines_and_can_be_made():
    code = re.search(r"## A gateway in 30 lines\n\n```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 30
    names: dict[str, type[Gateway]] = {}
    exec(compile(code[1], "README.md", "exec"), names)
    gateway = names["ChatGateway"]("/")
    assert {"joinRoom", "chatMessage"} == set(gateway._handlers)
