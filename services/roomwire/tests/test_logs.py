"""No secret is ever written, and each line is one event."""

import contextlib
import io
import json
import logging
import re
import subprocess
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from roomwire import logs

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
SECRET = "hunter2secret"


SECRET_TEXTS = [
    pytest.param(f"got {TOKEN} from a client", TOKEN, id="a JWT"),
    pytest.param(f"Authorization: Bearer {SECRET}", SECRET, id="a bearer header"),
    pytest.param(f"GET /socket.io/?EIO=4&token={SECRET}&t=1", SECRET, id="a token in a query"),
    pytest.param(f"refresh_token={SECRET}", SECRET, id="a refresh token in a form"),
    pytest.param(f"id_token={SECRET}", SECRET, id="any token in a form"),
    pytest.param(f"redis://user:{SECRET}@host:6379/0", SECRET, id="a password in a URL"),
    pytest.param(f"rediss://:{SECRET}@host", SECRET, id="a password without user in a URL"),
    pytest.param(f"Login(name='ann', password='{SECRET}')", SECRET, id="a password in a repr"),
    pytest.param(f'{{"password": "{SECRET}"}}', SECRET, id="a password in JSON"),
]


@pytest.mark.parametrize(("text", "secret"), SECRET_TEXTS)
def test_a_text_is_masked_and_the_rest_of_it_stays(text, secret):
    masked = logs.redact_text(text)

    assert secret not in masked
    assert "[redacted]" in masked
    assert text.partition(secret)[0].removesuffix(secret) in masked


@given(st.text(alphabet=st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]), min_size=1))
def test_a_token_in_a_query_never_shows(secret):
    masked = logs.redact_text(f"/?token=x{secret}x&b=1")

    assert "/?token=[redacted]&b=1" == masked


@pytest.mark.parametrize(
    "text", ["two:words@home", "http://host:80/a@b", "a token was refused", "token: none"]
)
def test_what_is_no_secret_stays(text):
    assert text == logs.redact_text(text)


PIECES = [
    "a",
    "eyJ",
    "eyJ.",
    "eyJ-",
    "token",
    "token=",
    "token':",
    "token': ",
    "password",
    "bearer",
    "bearer ",
]
PIECES += ["://", ":", "a://", "a://b:", "@", "_", "'", "aA0", "é"]
PATTERNS = [logs._TOKEN, logs._NAMED_SECRET, logs._BEARER, logs._URL_PASSWORD]
MASK_ALL = """
import sys
from roomwire.logs import redact_text
for piece in sys.argv[1:]:
    redact_text(piece * (500_000 // len(piece)))
"""


def test_masking_takes_time_in_proportion_to_the_text():
    # In proportion to its square it would take hours. A process of its own, as nothing interrupts a regular expression.
    subprocess.run([sys.executable, "-c", MASK_ALL, *PIECES], check=True, timeout=100)


@given(
    st.lists(
        st.sampled_from(["eyJ", "a.", ".", "-", " ", "token=", "bearer ", "x://", "u:", "p@", "'"]),
        max_size=12,
    )
)
def test_what_is_masked_is_masked_once_and_for_all(pieces):
    masked = logs.redact_text("".join(pieces))
    assert masked == logs.redact_text(masked)


@given(
    st.lists(
        st.sampled_from(
            [
                "eyJ",
                "EYJ",
                "a.",
                ".",
                "token=",
                "ToKen=",
                "pa\u017f\u017fword='",
                "Password: ",
                "bearer ",
                "BEARER ",
                "x://",
                "u:",
                "p@",
                "'",
                "İ",
            ]
        ),
        max_size=8,
    )
)
def test_no_text_that_a_pattern_would_mask_is_passed_over(pieces):
    text = masked = "".join(pieces)
    for pattern in PATTERNS:
        masked = pattern.sub("", masked)

    assert (masked == text) or logs._may_have_secrets(text)


SECRET_FIELDS = [
    pytest.param({"token": SECRET}, id="at the top"),
    pytest.param({"Authorization": f"Basic {SECRET}"}, id="whatever the case"),
    pytest.param({"request": {"headers": {"Cookie": SECRET}}}, id="in a mapping in a mapping"),
    pytest.param({"bodies": [{"password": SECRET}]}, id="in a list"),
    pytest.param({"bodies": ({"inner": ({"refresh_token": SECRET},)},)}, id="in tuples"),
    pytest.param({"password": {"was": SECRET}}, id="with a value that is no text"),
    pytest.param({"raw": f"?token={SECRET}".encode()}, id="in bytes"),
    pytest.param({"error": ValueError(f"token={SECRET}")}, id="in an object"),
]


@pytest.mark.parametrize("fields", SECRET_FIELDS)
def test_secret_fields_are_masked_at_any_depth(fields, log_lines):
    structlog.get_logger("tests.logs").info("something happened", **fields)

    (line,) = log_lines()
    assert SECRET not in json.dumps(line)
    assert "[redacted]" in json.dumps(line)
    assert "something happened" == line["event"]


def fail(secret):
    raise ValueError(f"cannot reach redis://:{secret}@host")


def test_an_exception_is_masked_in_json(log_lines):
    try:
        fail(SECRET)
    except ValueError:
        structlog.get_logger("tests.logs").exception("it failed")

    (line,) = log_lines()
    assert SECRET not in json.dumps(line)
    assert "cannot reach redis://:[redacted]@host" in line["exception"]


def test_an_exception_is_masked_on_the_console(console):
    try:
        fail(SECRET)
    except ValueError:
        structlog.get_logger("tests.logs").exception("it failed", token=SECRET)

    text = console()
    assert SECRET not in text
    assert "cannot reach redis://:[redacted]@host" in text
    assert "it failed" in text


def test_lines_of_other_libraries_are_masked_in_json(log_lines):
    logging.getLogger("some.library").warning("GET /?token=%s as %s", SECRET, {"password": SECRET})

    (line,) = log_lines()
    assert SECRET not in json.dumps(line)
    assert line["event"].startswith("GET /?token=[redacted]")


def test_an_exception_of_another_library_is_masked(log_lines):
    try:
        fail(SECRET)
    except ValueError:
        logging.getLogger("some.library").exception("failed")

    (line,) = log_lines()
    assert SECRET not in json.dumps(line)
    assert "ValueError" in line["exception"]


def test_lines_of_other_libraries_are_masked_on_the_console(console):
    logging.getLogger("some.library").warning("Bearer %s", SECRET)

    text = console()
    assert SECRET not in text
    assert "Bearer [redacted]" in text


def test_a_line_is_one_json_object_whatever_is_logged(log_lines):
    structlog.get_logger("tests.logs").info("a\nb", text="c\nd", number=1.5, flag=True, nothing=None)

    (line,) = log_lines()
    assert ("a\nb", "c\nd", 1.5, True, None) == (
        line["event"],
        line["text"],
        line["number"],
        line["flag"],
        line["nothing"],
    )


def test_each_line_carries_node_level_logger_and_time_in_utc(log_lines):
    logging.getLogger("some.library").error("it broke")

    (line,) = log_lines()
    assert ("tested", "error", "some.library") == (line["node"], line["level"], line["logger"])
    assert line["timestamp"].endswith("Z")


def test_a_line_below_the_level_is_not_written(log_lines):
    logging.getLogger("some.library").debug("nobody wants to know")
    structlog.get_logger("tests.logs").debug("nor this")
    structlog.get_logger("tests.logs").info("but this")

    assert ["but this"] == [line["event"] for line in log_lines()]


def test_a_request_of_httpx_is_no_line(log_lines):
    logging.getLogger("httpx").info("HTTP Request: GET ...")
    logging.getLogger("httpx").warning("slow")

    assert ["slow"] == [line["event"] for line in log_lines()]


def test_get_logger_names_the_module(log_lines):
    logs.get_logger("roomwire.something").info("hello")

    assert "roomwire.something" == log_lines()[0]["logger"]


TWO_WAYS = """
import datetime, logging, sys, uuid
from roomwire import logs
logs.configure(log_format=sys.argv[1], node="one")
log = logs.get_logger("roomwire.x")
if sys.argv[2] == "records":
    logging.getLogger("roomwire").addHandler(logging.NullHandler())
for value in ["text", "a\\nb\\x00\\u2028é\\U0001f600", "?token=abc", b"raw", 1, 2.5, float("nan"), None, True, ["x", ("y",)],
              {"password": "p", 1: "one", "inner": {"Authorization": "Basic abc"}}, uuid.UUID(int=1), datetime.date(2020, 1, 1),
              ValueError("redis://u:secret@h"), {1, 1}, object]:
    log.info("something happened", value=value, name="a name", token="abc")
log.warning("with %s", "an argument")
log.debug("not written")
try:
    raise KeyError("?token=abc")
except KeyError:
    log.exception("it failed", event_name="e")
    log.error("it failed", exc_info=True)
logging.getLogger("a.library").warning("of a library %s", 1)
"""


def written(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", TWO_WAYS, *arguments], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", done.stdout)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_has_the_same_text_with_and_without_a_record_of_the_standard_library(log_format):
    direct = written(log_format, "direct")

    assert written(log_format, "records") == direct
    assert 20 <= direct.count("<time>")
    assert "secret" not in direct


@pytest.fixture
def alone():
    """Return the lines of the one handler that this process has meanwhile."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    with contextlib.redirect_stdout(stream):
        logs.configure(log_format="json")
    yield lambda: [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.mark.parametrize("where", ["", "roomwire", "roomwire.some.module"])
def test_another_handler_gets_a_record_of_each_line(alone, where):
    kept = Kept()
    logging.getLogger(where).addHandler(kept)
    try:
        logs.get_logger("roomwire.some.module").info("hello")
    finally:
        logging.getLogger(where).removeHandler(kept)
    logs.get_logger("roomwire.some.module").info("goodbye")

    assert ["hello", "goodbye"] == alone()
    assert ["roomwire.some.module"] == [record.name for record in kept.records]


def test_a_loggers_own_level_and_filters_hold(alone):
    logger = logging.getLogger("roomwire.some.module")
    log = logs.get_logger("roomwire.some.module")

    logger.setLevel(logging.WARNING)
    log.info("below the level")
    log.warning("a warning")
    logger.setLevel(logging.NOTSET)
    logger.addFilter(refuse := lambda _: False)
    log.warning("filtered")
    logger.removeFilter(refuse)
    logging.disable(logging.WARNING)
    log.warning("disabled")
    logging.disable(logging.NOTSET)
    log.info("at last")

    assert ["a warning", "at last"] == alone()


def test_a_program_that_configures_no_logging_sees_only_warnings_and_errors():
    program = """
import asyncio
from roomwire.logs import get_logger
from roomwire import Server
log = get_logger("roomwire.x")
log.info("connection opened", sid="s")
log.warning("held", token="secret", url="redis://:secret@h")
try:
    raise ValueError("wrong")
except ValueError:
    log.exception("handler failed", event_name="e")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert ("", ["held token='[redacted]' url='redis://:[redacted]@h'", "handler failed event_name='e'"]) == (
        done.stdout,
        lines[:2],
    )
    assert "ValueError: wrong" == lines[-1]
    assert 1 == done.stderr.count("ValueError: wrong")
