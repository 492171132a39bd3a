"""Public keys as identity providers publish them (RFC 7517, 7518, 8037): which keys verify tokens, and with which algorithms.

Pure: it fetches nothing and logs nothing. An unusable key is left out and reported, without affecting other keys. Its
neighbours are `jwks`, which fetches, and `verification`, which verifies.
"""

import base64
import enum
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

EDDSA: Final = "EdDSA"
MIN_RSA_BITS: Final = 2_048
MAX_RSA_BITS: Final = 8_192
"""Checking a signature takes longer with every bit."""

_OF_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_OF_CURVES: Final[Mapping[tuple[str, str], tuple[str, type[ec.EllipticCurve] | None]]] = {
    ("OKP", "Ed25519"): (EDDSA, None),
    ("EC", "P-256"): ("ES256", ec.SECP256R1),
    ("EC", "P-384"): ("ES384", ec.SECP384R1),
    ("EC", "P-521"): ("ES512", ec.SECP521R1),
}
ALGORITHMS: Final = (*(name for name, _ in _OF_CURVES.values()), *_OF_RSA)
"""The algorithms by which tokens can be verified: all of them asymmetric."""

# RFC 7518, sections 6.2.2 and 6.3.2: these members are private, so that every reader could sign.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_ED25519_PRIME: Final = 2**255 - 19
# With a point of such a height as a key, signatures can be forged (RFC 8032, section 5.1: points of order 1, 2, 4 and 8).
_ED25519_EIGHTH: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_ED25519_WEAK: Final = frozenset(
    {0, 1, _ED25519_PRIME - 1, _ED25519_EIGHTH, _ED25519_PRIME - _ED25519_EIGHTH}
)


class Fault(enum.StrEnum):
    """The reason why a published key is unusable, so that the provider must correct it."""

    MALFORMED = "malformed"
    PRIVATE = "private"
    SYMMETRIC = "symmetric"
    WEAK = "weak"
    DUPLICATE = "duplicate"


class PublicKey(msgspec.Struct, frozen=True):
    """A key that verifies tokens.

    Attributes:
        key: The key itself.
        algorithms: The algorithms for which the key may be used; a token with another is invalid.

    """

    key: Ed25519PublicKey | ec.EllipticCurvePublicKey | RSAPublicKey
    algorithms: frozenset[str]


class KeySet(msgspec.Struct, frozen=True):
    """The usable part of a JWKS.

    Attributes:
        keys: The keys that verify tokens, by their ids.
        faults: The ids of the refused keys (as far as they have one), with the reason.

    """

    keys: Mapping[str, PublicKey]
    faults: Sequence[tuple[str, Fault]]


class _Jwks(msgspec.Struct):
    keys: Sequence[msgspec.Raw]


class _Refused(ValueError):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def read_jwks(body: bytes, algorithms: Collection[str] = (EDDSA,)) -> KeySet:
    """Return the keys of a JWKS that verify tokens with these algorithms.

    Keys for other purposes, and keys without an id, are ignored: a provider may have them for others. Two different keys with one
    id are both refused, because nothing states which is meant.

    Args:
        body: The document.
        algorithms: Some of `ALGORITHMS`. Default: EdDSA alone.

    Raises:
        ValueError: The document is not a JWKS (`msgspec.DecodeError` is a `ValueError`).

    """
    keys: dict[str, PublicKey] = {}
    faults: list[tuple[str, Fault]] = []
    twice: set[str] = set()
    for raw in msgspec.json.decode(body, type=_Jwks).keys:
        members: object = None
        try:
            members = msgspec.json.decode(raw)
            found = _read(members, frozenset(algorithms))
        except _Refused as refused:
            faults.append((_id_of(members), refused.fault))
            continue
        except (ValueError, RecursionError):
            faults.append((_id_of(members), Fault.MALFORMED))
            continue
        if found is None:
            continue
        kid, key = found
        if keys.setdefault(kid, key) != key:
            twice.add(kid)
    faults += [(kid, Fault.DUPLICATE) for kid in sorted(twice)]
    return KeySet({kid: key for kid, key in keys.items() if kid not in twice}, faults)


def _id_of(members: object) -> str:
    kid = members.get("kid") if isinstance(members, Mapping) else None
    return kid if isinstance(kid, str) else ""


def _read(members: object, algorithms: frozenset[str]) -> tuple[str, PublicKey] | None:
    """Return a key's id and the key, or None if it is for another purpose."""
    if not isinstance(members, Mapping):
        raise _Refused(Fault.MALFORMED)
    if members.get("kty") == "oct" or "k" in members:
        raise _Refused(Fault.SYMMETRIC)
    if _PRIVATE & members.keys():
        raise _Refused(Fault.PRIVATE)
    kid = members.get("kid", "")
    if not isinstance(kid, str):
        raise _Refused(Fault.MALFORMED)
    fitting = _fitting(members) & algorithms
    if not kid or not fitting or not _is_for_signatures(members):
        return None
    make: Callable[[Mapping[str, object]], Any] = {"RSA": _rsa, "EC": _elliptic, "OKP": _ed25519}[
        members["kty"]
    ]
    return kid, PublicKey(make(members), fitting)


def _fitting(members: Mapping[str, object]) -> frozenset[str]:
    """Return the algorithms that a key can and may verify."""
    kind, curve, said = (_text(members, name) for name in ("kty", "crv", "alg"))
    of_curve = _OF_CURVES.get((kind, curve))
    possible = frozenset(_OF_RSA) if kind == "RSA" else frozenset({of_curve[0]} if of_curve else ())
    return possible & {said} if said else possible


def _is_for_signatures(members: Mapping[str, object]) -> bool:
    """Return whether a key is for signatures; it may lack `use` or `key_ops` (RFC 7517, sections 4.2 and 4.3)."""
    operations = members.get("key_ops", ["verify"])
    return members.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _rsa(members: Mapping[str, object]) -> RSAPublicKey:
    modulus, exponent = (int.from_bytes(_binary(members, name)) for name in ("n", "e"))
    # NIST SP 800-56B, section 6.2, allows more than 32 bits, but such exponents are not used and would make each check slower.
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or not 2**16 < exponent < 2**32:
        raise _Refused(Fault.WEAK)
    return RSAPublicNumbers(exponent, modulus).public_key()


def _elliptic(members: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    curve_type = _OF_CURVES["EC", members["crv"]][1]
    if curve_type is None:
        raise _Refused(Fault.MALFORMED)
    curve = curve_type()
    x, y = (_binary(members, name) for name in ("x", "y"))
    if len(x) != len(y) or len(x) != (curve.key_size + 7) // 8:
        raise _Refused(Fault.MALFORMED)
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()


def _ed25519(members: Mapping[str, object]) -> Ed25519PublicKey:
    raw = _binary(members, "x")
    key = Ed25519PublicKey.from_public_bytes(raw)
    # The highest bit is the sign of the other coordinate.
    if (int.from_bytes(raw, "little") & (2**255 - 1)) % _ED25519_PRIME in _ED25519_WEAK:
        raise _Refused(Fault.WEAK)
    return key


def _text(members: Mapping[str, object], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise _Refused(Fault.MALFORMED)
    return value


def _binary(members: Mapping[str, object], name: str) -> bytes:
    value = _text(members, name)
    if not _BASE64URL.fullmatch(value):
        raise _Refused(Fault.MALFORMED)
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
