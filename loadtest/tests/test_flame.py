"""A flame graph of a real gateway under real load."""

import subprocess
import sys

import pytest

from roomwire_loadtest.profile import flame


@pytest.mark.usefixtures("py_spy_may_look")
def test_a_flame_graph_shows_the_gateway_at_work(tmp_path, capsys):
    out = tmp_path / "profile.svg"
    samples = flame.profile("chatter", users=40, seconds=4, out=out)
    text = out.read_text()
    assert samples > 0
    assert f"{samples:,} samples" in text
    assert "<svg" in text
    assert "roomwire/" in text
    assert "chatter, 40 users" in capsys.readouterr().out


@pytest.mark.usefixtures("py_spy_may_look")
def test_too_few_samples_are_said_with_what_to_do_and_are_void(tmp_path, capsys):
    arguments = ["--users", "2", "--seconds", "1", "--out", str(tmp_path / "profile.svg")]
    assert flame.VOID == flame.main(arguments)
    said = capsys.readouterr().err
    assert "the gateway mostly waited. Send more users (--users), or look for longer (--seconds)." in said


@pytest.mark.usefixtures("py_spy_may_look")
def test_a_process_that_only_waits_gives_no_samples(tmp_path):
    script = "import sys; print(flush=True); sys.stdin.read()"
    waits = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        waits.stdout.readline()
        assert 0 == flame.record(waits.pid, seconds=1, out=tmp_path / "profile.svg")
    finally:
        waits.communicate()


def test_a_process_that_has_ended_cannot_be_profiled(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(flame.CannotProfile, match="py-spy"):
        flame.record(gone.pid, seconds=1, out=tmp_path / "profile.svg")
