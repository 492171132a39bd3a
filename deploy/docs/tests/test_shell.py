"""Each command of the shell that a document shows is one that works, as far as that can be told without running it."""

from pathlib import Path

import blocks
import pytest
import shell
from blocks import PAGES
from documents import ROOT
from needs import need

from roomwire_gateway.settings import Settings

BLOCKS = [block for page in PAGES for block in blocks.blocks(page)]
PAGE = ROOT / "docs" / "page.md"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "sh"], ids=str)
def test_each_command_is_one_that_works(block):
    programs = {command.words[0] for command in shell.commands(block.code) if command.words}
    for program in programs & {"helm", "kubectl"}:
        need(Path(shell.tool(program)).is_file(), f"{program}: `make install` on Linux on x86-64 brings it")

    assert [] == shell.complaints(block.code, block.page)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("make upp", "make: there is no target upp"),
        ("make bench BENCHES=x", "make: nothing reads the variable BENCHES"),
        ('make bench BENCH="--quickly"', "make: there is no option --quickly"),
        ("ROOMWIRE_PROT=1 roomwire serve board:app", "ROOMWIRE_PROT is not a setting"),
        ("export ROOMWIRE_PROT=1", "ROOMWIRE_PROT is not a setting"),
        ("roomwire sevre", "roomwire: there is no command sevre"),
        ("roomwire tail URL --gast", "roomwire: there is no option --gast"),
        ("cd x && frobnicate", "frobnicate: no check knows this program"),
        ("python -m roomwire_auht", "python: there is no module roomwire_auht"),
        ("python -m roomwire_auth new-client x --rolle y", "python: there is no option --rolle"),
        ("python gone.py", "python: there is no file gone.py"),
        ("pip install 'roomwire[sevrice]'", "pip: roomwire has no extra sevrice"),
        ("docker build -f services/gone/Dockerfile .", "docker: there is no services/gone/Dockerfile"),
        ("pytest tests/test_gone.py", "pytest: there is no tests/test_gone.py"),
    ],
)
def test_a_command_that_does_not_work_is_found(code, fault):
    assert [fault] == shell.complaints(code, PAGE)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (
            "helm install it deploy/helm/roomwire --set gateway.replica=3",
            "additional properties 'replica' not allowed",
        ),
        ("helm upgrade ... --set corsOrigins={*,x}", "corsOrigins: * "),
        ("helm instal it deploy/helm/roomwire", "there is no command instal"),
        ("helm install it deploy/helm/roomwire --wate", "there is no option --wate"),
        ("helm upgrade it deploy/helm/roomwire --set gateway.replica=N", "'replica' not allowed"),
        ("helm get vales it", "there is no command get vales"),
        ("helm get values it --al", "there is no option --al"),
        ("until kubectl -n den gett secret it; do sleep 2; done", "there is no command gett"),
        ("kubectl -n den exec it --foo -- sh --bar", "there is no option --foo"),
        ("kubectl -n den crate secret", "there is no command crate"),
        ("kubectl create secret generic x --from-fille=y", "there is no option --from-fille"),
        ("for x in 1; do", "syntax error"),
    ],
)
def test_a_command_for_a_cluster_that_does_not_work_is_found(code, fault):
    program = code.partition(" ")[0]
    if program in {"helm", "kubectl"}:
        need(Path(shell.tool(program)).is_file(), f"{program}: `make install` on Linux on x86-64 brings it")

    assert fault in "".join(shell.complaints(code, PAGE))


def test_commands_are_read_as_a_shell_reads_them():
    code = """A=1 one 'a b' "c # d" # a comment
two \\
  --three > file && four | five; for x in y; do six $x; done
seven <<'YAML'
not: a command
YAML
eight '{"a":
 "b"}'
"""
    found = [[*command.words] for command in shell.commands(code)]

    assert [
        ["one", "a b", "c # d"],
        ["two", "--three"],
        ["four"],
        ["five"],
        ["for", "x", "in", "y"],
        ["six", "$x"],
        ["done"],
        ["seven"],
        ["eight", '{"a":\n "b"}'],
    ] == found


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.code.startswith("ROOMWIRE_AUTH_ISSUER=")], ids=str
)
def test_settings_for_another_identity_provider_are_accepted(block, monkeypatch, tmp_path):
    (command,) = shell.commands(block.code.replace("\n", " \\\n").removesuffix(" \\\n"))
    for name, value in command.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (policy,) = [one for one in BLOCKS if one.language == "toml" and "[roles.guest]" in one.code]
    Path("policy.toml").write_text(policy.code, encoding="utf-8")

    assert "https://" in Settings.load().auth_issuer
