"""Which published keys verify tokens, by what, and which are refused."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from roomwire.identity.jwk import ALGORITHMS, MAX_RSA_BITS, Fault, read_jwks

ED25519 = ed25519.Ed25519PrivateKey.generate().public_key()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
P521 = ec.generate_private_key(ec.SECP521R1()).public_key()
OF_RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
PRIME = 2**255 - 19


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value, size=None):
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8 or 1))


def okp(key=ED25519, **more):
    raw = key if isinstance(key, bytes) else key.public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw), "kid": "k"} | more


def of_rsa(key=RSA, **more):
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), "kid": "k"} | more


def of_curve(key=P256, **more):
    numbers, size = key.public_numbers(), (key.key_size + 7) // 8
    names = {256: "P-256", 384: "P-384", 521: "P-521"}
    coordinates = {"x": number(numbers.x, size), "y": number(numbers.y, size)}
    return {"kty": "EC", "crv": names[key.key_size], "kid": "k"} | coordinates | more


def read(*keys, algorithms=ALGORITHMS):
    return read_jwks(json.dumps({"keys": list(keys)}).encode(), algorithms)


GOOD = [
    pytest.param(okp(), ED25519, {"EdDSA"}, id="Ed25519"),
    pytest.param(of_rsa(), RSA, OF_RSA, id="RSA"),
    pytest.param(of_rsa(alg="RS256"), RSA, {"RS256"}, id="RSA, for one algorithm"),
    pytest.param(of_curve(P256), P256, {"ES256"}, id="P-256"),
    pytest.param(of_curve(P384), P384, {"ES384"}, id="P-384"),
    pytest.param(of_curve(P521), P521, {"ES512"}, id="P-521"),
    pytest.param(okp(use="sig", alg="EdDSA", key_ops=["verify"]), ED25519, {"EdDSA"}, id="says it all"),
    pytest.param(okp(x5c=["MIIB"], x5t="x", more={"a": 1}), ED25519, {"EdDSA"}, id="says more"),
]


@pytest.mark.parametrize(("jwk", "key", "algorithms"), GOOD)
def test_a_key_verifies_by_the_algorithms_of_its_type(jwk, key, algorithms):
    found = read(jwk)

    assert (key, frozenset(algorithms)) == (found.keys["k"].key, found.keys["k"].algorithms)
    assert [] == found.faults


def test_a_key_is_for_no_algorithm_that_is_not_asked_for():
    assert frozenset({"RS256"}) == read(of_rsa(), algorithms=["RS256", "ES256"]).keys["k"].algorithms


LEFT_ALONE = [
    pytest.param(okp(use="enc"), id="for encryption"),
    pytest.param(of_rsa(alg="RSA-OAEP"), id="an algorithm of encryption"),
    pytest.param(okp(key_ops=["encrypt"]), id="for other operations"),
    pytest.param(okp(key_ops="verify"), id="for an operation that is no list"),
    pytest.param(okp(crv="X25519"), id="X25519"),
    pytest.param(of_curve(crv="secp256k1"), id="another curve"),
    pytest.param(of_curve(alg="ES384"), id="an algorithm of another curve"),
    pytest.param(okp(alg="RS256"), id="an algorithm of another type"),
    pytest.param(okp(alg="HS256"), id="a symmetric algorithm"),
    pytest.param(okp(alg="none"), id="the algorithm none"),
    pytest.param({"kty": "AKP", "kid": "k", "pub": "x"}, id="a type that nobody knows"),
    pytest.param({"kid": "k"}, id="no type"),
    pytest.param(okp(kid=""), id="an empty id"),
    pytest.param({name: value for name, value in okp().items() if name != "kid"}, id="no id"),
]


@pytest.mark.parametrize("jwk", LEFT_ALONE)
def test_keys_for_other_ends_are_left_alone(jwk):
    found = read(jwk, okp(kid="good"))

    assert ({"good"}, []) == (found.keys.keys(), found.faults)


@pytest.mark.parametrize("jwk", [of_rsa(), of_curve()], ids=["RSA", "EC"])
def test_by_default_only_ed25519_keys_are_taken(jwk):
    found = read_jwks(json.dumps({"keys": [jwk | {"kid": "other"}, okp()]}).encode())

    assert ({"k"}, []) == (found.keys.keys(), found.faults)


def weak_rsa(bits, exponent=65537):
    """Write a number of so many bits: whether it is a modulus is not asked before its size is."""
    return {"kty": "RSA", "n": number(2 ** (bits - 1) + 1), "e": number(exponent), "kid": "k"}


FAULTY = [
    pytest.param(okp(x="AAAA"), Fault.MALFORMED, id="a short key"),
    pytest.param(okp(x="A"), Fault.MALFORMED, id="half a byte"),
    pytest.param(okp(x=okp()["x"] + "="), Fault.MALFORMED, id="padded"),
    pytest.param(okp(x=""), Fault.MALFORMED, id="empty"),
    pytest.param(okp(x=1), Fault.MALFORMED, id="a number"),
    pytest.param(okp(x=okp()["x"] + "\n"), Fault.MALFORMED, id="with a line end"),
    pytest.param({"kty": "OKP", "crv": "Ed25519", "kid": "k"}, Fault.MALFORMED, id="nothing in it"),
    pytest.param(okp(kid=1), Fault.MALFORMED, id="an id that is a number"),
    pytest.param(okp(alg=["EdDSA"]), Fault.MALFORMED, id="an algorithm that is a list"),
    pytest.param(of_rsa(kty=["RSA"]), Fault.MALFORMED, id="a type that is a list"),
    pytest.param("key", Fault.MALFORMED, id="a text"),
    pytest.param(None, Fault.MALFORMED, id="null"),
    pytest.param([], Fault.MALFORMED, id="a list"),
    pytest.param(of_curve() | {"y": of_curve()["x"]}, Fault.MALFORMED, id="a point beside its curve"),
    pytest.param(of_curve(P384, crv="P-256"), Fault.MALFORMED, id="a point of another curve"),
    pytest.param(of_curve(x=number(1)), Fault.MALFORMED, id="a coordinate too short"),
    pytest.param(of_rsa(e=number(65538)), Fault.MALFORMED, id="an even exponent"),
    pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, Fault.SYMMETRIC, id="symmetric"),
    pytest.param(okp(k="c2VjcmV0"), Fault.SYMMETRIC, id="a secret beside it"),
    pytest.param(okp(d="c2VjcmV0"), Fault.PRIVATE, id="private"),
    pytest.param(okp(d=""), Fault.PRIVATE, id="private, by the name alone"),
    pytest.param(of_rsa(p="AQAB"), Fault.PRIVATE, id="private, RSA"),
    pytest.param(of_curve(d="AQAB"), Fault.PRIVATE, id="private, EC"),
    pytest.param(okp(d="c2VjcmV0", use="enc"), Fault.PRIVATE, id="private, for encryption"),
    pytest.param(weak_rsa(512), Fault.WEAK, id="RSA of 512 bits"),
    pytest.param(weak_rsa(1024), Fault.WEAK, id="RSA of 1024 bits"),
    pytest.param(weak_rsa(2047), Fault.WEAK, id="RSA of 2047 bits"),
    pytest.param(weak_rsa(MAX_RSA_BITS + 1), Fault.WEAK, id="RSA of more bits than are worth checking"),
    pytest.param(of_rsa(e=number(1)), Fault.WEAK, id="RSA with the exponent 1"),
    pytest.param(of_rsa(e=number(3)), Fault.WEAK, id="RSA with the exponent 3"),
    pytest.param(of_rsa(e=number(2**32 + 1)), Fault.WEAK, id="RSA with a long exponent"),
]


@pytest.mark.parametrize(("jwk", "fault"), FAULTY)
def test_a_key_that_cannot_be_used_is_said_and_the_others_are_kept(jwk, fault):
    found = read(okp(kid="first"), jwk, okp(kid="last"))

    assert {"first", "last"} == found.keys.keys()
    assert [fault] == [why for _, why in found.faults]


# The points of the curve whose order divides 8, by arithmetic of their own: RFC 8032, section 5.1.4.

D = -121665 * pow(121666, -1, PRIME) % PRIME


def add(one, other):
    (x1, y1), (x2, y2) = one, other
    both = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + both, -1, PRIME) % PRIME,
        (y1 * y2 + x1 * x2) * pow(1 - both, -1, PRIME) % PRIME,
    )


def square_root(value):
    root = pow(value, (PRIME + 3) // 8, PRIME)
    for candidate in (root, root * pow(2, (PRIME - 1) // 4, PRIME) % PRIME):
        if candidate * candidate % PRIME == value % PRIME:
            return candidate
    return None


def x_of(y):
    return square_root((y * y - 1) * pow(D * y * y + 1, -1, PRIME))


def points_of_small_order():
    """Multiply points by the order of the large subgroup: what is left has an order that divides 8."""
    order = 2**252 + 27742317777372353535851937790883648493
    found = set()
    for y in range(2, 60):
        if (x := x_of(y)) is None:
            continue
        for point in ((x, y), (-x % PRIME, y)):
            result, power, left = (0, 1), point, order
            while left:
                if left & 1:
                    result = add(result, power)
                power, left = add(power, power), left >> 1
            found.add(result)
    return found


def encoded(x, y):
    return (y | (x & 1) << 255).to_bytes(32, "little")


def test_ed25519_keys_of_small_order_are_refused_however_they_are_written():
    points = points_of_small_order()
    raw = {encoded(x, y) for x, y in points}
    # The same heights with the other sign, and those that fit in 255 bits written a second time.
    raw |= {(y | sign << 255).to_bytes(32, "little") for _, y in points for sign in (0, 1)}
    raw |= {(y + PRIME | sign << 255).to_bytes(32, "little") for _, y in points if y < 19 for sign in (0, 1)}

    assert 8 == len(points)
    for key in raw:
        found = read(okp(key), okp(kid="good"))
        assert ({"good"}, Fault.WEAK) == (found.keys.keys(), found.faults[0][1])


def test_a_key_that_is_there_twice_is_one():
    found = read(okp(), okp())

    assert ({"k"}, []) == (found.keys.keys(), found.faults)


@pytest.mark.parametrize("other", [of_rsa(), okp(ed25519.Ed25519PrivateKey.generate().public_key())])
@pytest.mark.parametrize("order", [1, -1])
def test_two_keys_of_one_id_are_both_refused(other, order):
    found = read(*[okp(), other, okp()][::order], okp(kid="good"))

    assert ({"good"}, [("k", Fault.DUPLICATE)]) == (found.keys.keys(), found.faults)


def test_a_key_for_another_end_may_have_the_same_id():
    assert {"k"} == read(okp(), of_rsa(use="enc"), algorithms=ALGORITHMS).keys.keys()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"<html>"])
def test_what_is_no_jwks_is_refused_as_a_whole(body):
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's, with its own text
        read_jwks(body)
