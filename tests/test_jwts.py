"""Finding JSON Web Tokens: each part that says something is found, and no random id is taken for one."""

import secrets

from jwts import jwts_in

from roomwire.identity.tokens import SigningKey, User
from roomwire.log.sessions import new_pid


def token() -> str:
    user = User(id="ann", name="Ann", kind="account")
    return SigningKey.generate().sign(user, issuer="roomwire", audience="roomwire", lifetime_s=60)


def test_a_token_is_found_wherever_it_stands_and_whichever_part_of_it():
    whole = token()
    header, claims, _ = whole.split(".")
    assert [header] == jwts_in(f"GET /?token={header}")
    assert [claims] == jwts_in(f'{{"sent": "{claims}"}}')
    assert [header, claims] == jwts_in(whole)


def test_no_random_id_is_taken_for_a_token():
    ids = ["HHuVeyJ_0UJGXSMpkvlF", "eyJ" + "a" * (len(new_pid()) - 3), secrets.token_hex(16)]
    assert [] == jwts_in(" ".join(f"node-1.{id_}" for id_ in ids))
