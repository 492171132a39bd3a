"""How `make audit` judges the answers of pip-audit. The tests do not use the network."""

import json
import subprocess
from pathlib import Path

import audit
import pytest

LOCK = str(Path(__file__).resolve().parents[3] / "requirements/run.txt")
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
WEAK = {"name": "weak", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found and could not be audited"}


@pytest.fixture
def answers(monkeypatch):
    """Make pip-audit give prepared answers."""

    def answer(*dependencies, text=None, error="no route\nto the advisories"):
        stdout = json.dumps({"dependencies": dependencies, "fixes": []}) if text is None else text

        def run(command, **_):
            assert "pip_audit" in command
            if text is None and Path(command[-1]).name == "one.txt":
                one = json.dumps({"dependencies": [SOUND]})
                return subprocess.CompletedProcess(command, 0, stdout=one, stderr="")
            return subprocess.CompletedProcess(command, 1, stdout=stdout, stderr=error)

        monkeypatch.setattr(subprocess, "run", run)

    return answer


ROWS = [
    pytest.param([SOUND], 0, 0, id="all sound"),
    pytest.param([SOUND, WEAK], 1, 1, id="a weak one"),
    pytest.param([SOUND, UNKNOWN], 1, 0, id="one that nobody knows"),
    pytest.param([WEAK, UNKNOWN], 1, 1, id="both"),
    pytest.param([], 1, 1, id="no packages at all"),
]


@pytest.mark.parametrize(("dependencies", "strict", "lenient"), ROWS)
def test_only_what_was_asked_about_and_is_sound_passes(answers, dependencies, strict, lenient):
    answers(*dependencies)

    assert strict == audit.main([LOCK])
    assert lenient == audit.main(["--may-be-unreachable", LOCK])


def test_what_was_not_audited_is_named(answers, capsys):
    answers(SOUND, UNKNOWN)
    audit.main(["--may-be-unreachable", LOCK])

    assert "NOT AUDITED, because the advisories cannot be reached: unknown" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\nERROR:pip_audit._cli:Tip: your network may be blocking",
        "Traceback (most recent call last):\nrequests.exceptions.ConnectionError: HTTPSConnectionPool: Max retries exceeded",
        "Traceback (most recent call last):\nrequests.exceptions.ProxyError: Unable to connect to proxy",
        "requests.exceptions.HTTPError: 503 Server Error\n\nThe above exception was the direct cause\npip_audit._service.interface.ServiceError",
    ],
    ids=["no connection in time", "no connection", "no way through a proxy", "no service"],
)
def test_without_an_answer_no_package_counts_as_safe(answers, error, capsys):
    answers(text="", error=error)

    assert (1, 0) == (audit.main([LOCK]), audit.main(["--may-be-unreachable", LOCK]))
    assert 2 == capsys.readouterr().out.count(
        "NOT AUDITED, because the advisories cannot be reached: run.txt"
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ""),
        ("", "Traceback (most recent call last):\nKeyError: 'vulns'"),
        ("", "ERROR:pip_audit._cli:invalid requirements input: run.txt"),
        ("<html>", ""),
        ('{"dependencies": [', ""),
        ("[]", ""),
        ('{"dependencies": [{"name": "weak"}]}', ""),
        ('{"dependencies": [{"name": "weak", "version": "1", "vulns": [{}]}]}', ""),
    ],
)
def test_an_answer_that_cannot_be_read_fails_wherever_it_is_asked(answers, text, error, capsys):
    answers(text=text, error=error)

    assert (1, 1) == (audit.main([LOCK]), audit.main(["--may-be-unreachable", LOCK]))
    said = capsys.readouterr().err
    assert 2 == said.count("pip-audit's answer about one.txt cannot be read")
    assert error.rpartition("\n")[2] in said


def test_the_first_question_is_about_one_package_with_its_hashes(monkeypatch):
    asked = []
    monkeypatch.setattr(audit, "_ask", lambda lock: asked.append(lock.read_text()) or [])
    audit._ask_about_one(Path(LOCK))

    (question,) = asked
    assert 1 == question.count("==")
    assert question.count("--hash=sha256:") >= 1
    assert question in Path(LOCK).read_text()


def test_every_lock_file_is_audited():
    root = Path(__file__).resolve().parents[3]

    # Everything that is installed anywhere is audited, except old releases for tests, which have vulnerabilities.
    of_old_releases = root / "requirements/oldest.txt"
    assert {*audit.LOCKS} == {*(root / "requirements").glob("*.txt")} - {of_old_releases}
    assert len(audit.LOCKS) > 3
