"""What a client can be told, as a table."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from roomwire import errors
from roomwire.cluster.errors import PeerRequestTooLarge
from roomwire.errors import ClientError, ConfigurationError, RoomwireError
from roomwire.gateways.errors import WrongField
from roomwire.identity.errors import UnknownRole
from roomwire.log.errors import EventTooLarge, LogNotResumed, RedisEvicts
from roomwire.redis.errors import NoSuchRedisUrl, UnknownOptions, UnknownScheme, UnusableTls
from roomwire.relay.errors import AnswersTooLate, NotConnected, NotWelcomed

TABLE = [
    # class, code, HTTP status, retryable
    (errors.InvalidBody, "invalid_body", 422, False),
    (errors.InvalidNamespace, "invalid_namespace", 404, False),
    (errors.Unauthenticated, "unauthenticated", 401, False),
    (errors.Forbidden, "forbidden", 403, False),
    (errors.RateLimited, "rate_limited", 429, True),
    (errors.TooLarge, "too_large", 413, False),
    (errors.Unavailable, "unavailable", 503, True),
    (errors.NotFound, "not_found", 404, False),
    (errors.Internal, "internal", 500, False),
]


@pytest.mark.parametrize(
    ("error", "code", "status", "retryable"), TABLE, ids=[error.__name__ for error, *_ in TABLE]
)
def test_each_error_has_its_code_status_and_advice(error, code, status, retryable):
    assert (code, status, retryable) == (error.code, error.http_status, error.retryable)


def test_the_table_is_complete_and_no_code_is_given_twice():
    assert {row[0] for row in TABLE} == set(ClientError.__subclasses__())
    assert len(TABLE) == len({error.code for error in ClientError.__subclasses__()})


@pytest.mark.parametrize("error", ClientError.__subclasses__())
def test_the_default_sentence_is_one_and_says_nothing_of_the_inside(error):
    sentence = error().message

    assert sentence.endswith(".")
    assert 1 == len(sentence.splitlines())


def test_the_body_has_the_shape_that_clients_know():
    body = errors.RateLimited("Slowly, please.").body()

    assert {"error": {"code": "rate_limited", "message": "Slowly, please.", "retryable": True}} == body


def test_an_empty_message_gives_the_default_sentence():
    assert errors.Forbidden.default_message == errors.Forbidden("").message


def test_a_configuration_error_is_never_for_clients():
    assert issubclass(ConfigurationError, RoomwireError)
    assert not issubclass(ConfigurationError, ClientError)


SENTENCES = [
    (errors.UnusableFile(Path("/a"), problem="No such file", setting="X_FILE"), "X_FILE: /a: No such file"),
    (errors.UnusableFile(Path("/a"), Path("/b"), problem="bad"), "/a, /b: bad"),
    (
        errors.UnusablePort("::", 1, problem="in use", setting="X_PORT"),
        "cannot listen on :::1: in use; choose another port with X_PORT",
    ),
    (errors.RedisTooOld("6.2", 7), "Redis 6.2 is too old: version 7 or Valkey is needed"),
    (errors.AuthTooLarge(9), "`auth` is too large: at most 9 bytes beside the token."),
    (errors.BodyTooLarge(9), "The body is too large: at most 9 bytes."),
    (errors.InvalidNamespaceName("a"), "There is no namespace of this name: it may have a."),
    (
        errors.InvalidNamespaceParameter("tenant", "Expected `int`"),
        "There is no namespace of this name: tenant: Expected `int`.",
    ),
    (UnknownRole("boss", ["user", "admin"]), "the policy has no role 'boss': use one of admin, user"),
    (
        RedisEvicts(""),
        "Redis has the maxmemory-policy unknown: set noeviction, otherwise messages would be lost silently",
    ),
    (LogNotResumed("lost"), "The log cannot be resumed: lost"),
    (EventTooLarge(2, 3), "An event may have at most 2 bytes; this one has 3."),
    (PeerRequestTooLarge(9), "Other nodes accept at most 9 bytes."),
    (UnknownScheme(["a", "b"]), "use one of a://, b://"),
    (NoSuchRedisUrl("a://b"), "use a://b"),
    (UnknownOptions(["b", "a"]), "use only these options after the ?: a, b"),
    (UnusableTls(OSError("no such file")), "TLS to Redis: no such file"),
    (
        NotWelcomed("::1", 2),
        "::1:2 closed the connection without a welcome: check that all gateways have the same ROOMWIRE_RELAY_SECRET",
    ),
    (NotConnected("::1", 2, problem=OSError("refused")), "::1:2 cannot be reached: refused"),
    (AnswersTooLate("node-1"), "node-1 did not answer in time"),
    (WrongField("room", "Expected `str`, got `int`"), "room: Expected `str`, got `int`."),
    (WrongField("", "Object missing required field `a`"), "Object missing required field `a`."),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES, ids=[sentence for _, sentence in SENTENCES])
def test_an_error_builds_its_sentence_from_facts(error, sentence):
    assert sentence == str(error)


SOURCE = Path(errors.__file__).parent


def said_to_clients():
    """Yield where an error for clients is made with a sentence, and the sentence: its text, or None if it has facts in it."""
    kinds = {"ClientError", *(kind.__name__ for kind in ClientError.__subclasses__())}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                for sentence in node.args:
                    if isinstance(sentence, ast.Constant | ast.JoinedStr):
                        where = f"{path.relative_to(SOURCE)}:{node.lineno}"
                        yield where, sentence.value if isinstance(sentence, ast.Constant) else None


def test_a_sentence_with_facts_belongs_to_a_class_that_takes_them():
    said = dict(said_to_clients())

    assert said
    assert [] == [where for where, sentence in said.items() if sentence is None]


def test_a_sentence_for_clients_stands_once():
    times = Counter(sentence for _, sentence in said_to_clients() if sentence is not None)

    assert {} == {sentence: count for sentence, count in times.items() if count > 1}
