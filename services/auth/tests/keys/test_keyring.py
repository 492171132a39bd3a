"""When a key is published, signs and goes: a table over time, and what gateways make of it."""

import httpx
import msgspec
import pytest

from roomwire.errors import ConfigurationError
from roomwire.identity.jwks import JwksClient
from roomwire.identity.tokens import SigningKey
from roomwire_auth.http.sign_in_api import JWKS_MAX_AGE_S
from roomwire_auth.keys.keyring import KEEP_S, MAX_ACCESS_TTL_S, Keyring
from roomwire_auth.keys.keys import Keys
from roomwire_auth.reread import REREAD_S
from roomwire_auth.settings import Settings

LEAD_S = 900
OLD = SigningKey.generate()
NEW = SigningKey.generate()
RING = Keyring([(1000, NEW), (0, OLD)])


def shown(ring, now):
    return {known.key.kid: (known.state, known.until) for known in ring.states(now)}


@pytest.mark.parametrize(
    ("now", "old", "new"),
    [
        (0, ("signing", 1000), ("next", 1000)),
        (999.9, ("signing", 1000), ("next", 1000)),
        (1000, ("retiring", 1000 + KEEP_S), ("signing", None)),
        (999.9 + KEEP_S, ("retiring", 1000 + KEEP_S), ("signing", None)),
        (1000 + KEEP_S, None, ("signing", None)),
    ],
)
def test_a_key_is_published_before_it_signs_and_until_its_last_token_has_expired(now, old, new):
    expected = {kid: state for kid, state in ((OLD.kid, old), (NEW.kid, new)) if state}

    assert expected == shown(RING, now)
    assert {*expected} == {key.kid for key in RING.published(now)}


@pytest.mark.parametrize(("now", "key"), [(-5, OLD), (999, OLD), (1000, NEW)])
def test_at_every_time_one_key_signs_even_before_the_first_ones(now, key):
    assert key.kid == RING.signing(now).kid


def test_what_is_written_is_read_again():
    assert RING.dump() == Keyring.parse(RING.dump()).dump()


def test_a_key_alone_is_a_keyring():
    assert [OLD.kid] == [key.kid for key in Keyring.parse(OLD.to_pem()).published(5)]


def test_a_rotation_adds_a_key_that_signs_after_the_lead():
    ring = Keyring.parse(OLD.to_pem()).rotated(5000.5, lead_s=LEAD_S)

    (next_key,) = [known.key for known in ring.states(5000.5) if known.state == "next"]
    assert {OLD.kid: ("signing", 5900), next_key.kid: ("next", 5900)} == shown(ring, 5000.5)


def test_while_a_key_waits_a_rotation_adds_none():
    assert RING.dump() == RING.rotated(500, lead_s=LEAD_S).dump()


def test_a_rotation_forgets_the_keys_that_are_done():
    ring = RING.rotated(1000 + KEEP_S, lead_s=LEAD_S)

    assert OLD.to_pem() not in [key["pem"] for key in msgspec.json.decode(ring.dump())["keys"]]
    assert NEW.to_pem() in [key["pem"] for key in msgspec.json.decode(ring.dump())["keys"]]
    assert NEW.kid == ring.signing(1000 + KEEP_S).kid


BROKEN = [
    pytest.param("{", "rotate-keys", id="half an object"),
    pytest.param("{}", "rotate-keys", id="no keys"),
    pytest.param('{"keys": []}', "empty", id="empty"),
    pytest.param('{"keys": [{"signs_from": "now", "pem": ""}]}', "rotate-keys", id="no time"),
    pytest.param('{"keys": [{"signs_from": 0, "pem": "x"}]}', "not an Ed25519 private key", id="no key"),
    pytest.param('{"keys": [], "more": 1}', "rotate-keys", id="unknown field"),
    pytest.param("nonsense", "not an Ed25519 private key", id="neither"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_what_is_no_keyring_is_a_sentence(text, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Keyring.parse(text)


def test_a_key_that_is_there_twice_is_refused():
    with pytest.raises(ConfigurationError, match="twice"):
        Keyring([(0, OLD), (5, OLD)])


def test_a_broken_keyring_is_not_quoted():
    with pytest.raises(ConfigurationError) as caught:
        Keyring.parse('{"keys": [{"signs_from": 0, "pem": 1, "hunter2": 1}]}')

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_longest_token_that_can_be_set_dies_before_its_key():
    assert MAX_ACCESS_TTL_S == next(
        bound.le for bound in Settings.model_fields["access_ttl_s"].metadata if hasattr(bound, "le")
    )
    assert KEEP_S > MAX_ACCESS_TTL_S


class Clock:
    """The time of everybody in a simulation."""

    now = 10_000.0

    def __call__(self):
        return self.now


class Auth:
    """A process that learns of a new keyring after a delay, as where a file comes by a mount."""

    def __init__(self, file, clock):
        self.file = file
        self.keys = Keys(Keyring.parse(file.read_text()), file=file, clock=clock)

    def jwks(self):
        return {"keys": [dict(key.public_jwk()) for key in self.keys.published()]}


class Cache(httpx.AsyncBaseTransport):
    """An HTTP cache before two auth processes, as stale as `Cache-Control` allows."""

    def __init__(self, auths, clock):
        self._auths, self._clock = auths, clock
        self._body, self._filled_at, self._turn = None, 0.0, 0

    async def handle_async_request(self, _):
        if self._body is None or self._clock() - self._filled_at >= JWKS_MAX_AGE_S:
            self._turn += 1
            self._body, self._filled_at = self._auths[self._turn % 2].jwks(), self._clock()
        return httpx.Response(200, json=self._body)


async def test_no_token_that_lives_is_unknown_to_a_gateway_at_any_time_of_several_rotations(tmp_path):
    """Gateways cache as long as they do, behind a cache, and one process reads the file two minutes late."""
    clock = Clock()
    first, late = tmp_path / "first", tmp_path / "late"
    for file in (first, late):
        file.write_text(OLD.to_pem())
    auths = [Auth(first, clock), Auth(late, clock)]
    gateway = JwksClient("http://auth/jwks.json", clock=clock, transport=Cache(auths, clock))
    step_s, delay_s, every_s, ttl_s = 10, 120, 6000, MAX_ACCESS_TTL_S
    living, signed_with = {}, []
    start, copy_at = clock.now, None
    while clock.now < start + 3 * every_s + KEEP_S + LEAD_S:
        since = clock.now - start
        if since % every_s == every_s // 2 and since < 3 * every_s:
            first.write_text(Keyring.parse(first.read_text()).rotated(clock.now, lead_s=LEAD_S).dump())
            copy_at = clock.now + delay_s
        if copy_at is not None and clock.now >= copy_at:
            late.write_text(first.read_text())
            copy_at = None
        for auth in auths:
            kid = auth.keys.signing().kid
            living[kid] = clock.now + ttl_s
            signed_with.append(kid)
        living = {kid: until for kid, until in living.items() if until > clock.now}
        for kid in living:
            assert await gateway.key(kid) is not None, (since, kid)
        clock.now += step_s
    await gateway.close()

    assert 4 == len({*signed_with})
    assert [] == [known for known in auths[0].keys.published() if known.kid == OLD.kid]


def test_the_least_lead_is_longer_than_all_who_learn_of_a_key_late_together():
    least_s = next(bound.ge for bound in Settings.model_fields["key_lead_s"].metadata if hasattr(bound, "ge"))
    # A cache and the gateway's own cache behind it, a mounted Secret's two minutes, the services' look at the file.
    assert least_s > 2 * JWKS_MAX_AGE_S + 120 + REREAD_S
    assert LEAD_S == least_s


def test_keyrings_with_the_same_keys_at_the_same_times_are_equal():
    key = SigningKey.generate()
    one, same = Keyring([(0, key)]), Keyring.parse(key.to_pem())

    assert (one, hash(one)) == (same, hash(same))
    assert one != Keyring([(1, key)])
    assert one != Keyring([(0, SigningKey.generate())])
    assert one != key.to_pem()
