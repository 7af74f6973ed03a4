"""Keys that tokens are signed with, each bound to the algorithms that its type allows.

What a token says of its algorithm only chooses among those, so that a public key can never be
taken for a secret (RFC 8725, 3.1 and 3.2), and ``none`` for nothing at all.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm

#: What may verify a token.
Material = bytes | RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

#: How many bytes a secret must have: as many as the hash (RFC 7518, 3.2).
_SECRETS = {"HS256": 32, "HS384": 48, "HS512": 64}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

#: Algorithms by which whoever can verify can also sign, and those by which they cannot.
SYMMETRIC = frozenset(_SECRETS)
ASYMMETRIC = frozenset({*_RSA, *_CURVES.values(), "EdDSA"})
ALGORITHMS = SYMMETRIC | ASYMMETRIC

#: Bits of an RSA key: fewer are weak (RFC 7518, 3.3), and more take too long for each handshake.
RSA_BITS = (2048, 8192)

#: How many keys one set may have. Issuers publish two to ten; a token that names none of them is
#: tried with each.
MAX_KEYS = 32

#: The members of a JWK that its public half, or the secret, consists of (RFC 7518, 6; RFC 8037).
_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "k")

#: Such as keeps the reading of a key short, whatever a file or a site has in it.
_MAX_MEMBER = 4096


class NoUsableKey(ValueError):
    """There is no key in what was read; the text is one sentence without what was read."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that verifies tokens.

    Two keys are equal if they verify the same tokens.

    Attributes:
        fingerprint: SHA-256 of its kind and of the key.
        algorithms: What it may be used with, never empty.
        material: The key.
        id: What tokens call it by (``kid``); None if it has no name.
    """

    fingerprint: bytes = field(repr=False)
    algorithms: frozenset[str]
    material: Material = field(repr=False, compare=False)
    id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer.

    Attributes:
        keys: At least one, at most `MAX_KEYS`.
    """

    keys: tuple[Key, ...]

    def __contains__(self, key: Key) -> bool:
        """Tell whether a key, of this set or of another, is in it."""
        return key in self.keys

    def fitting(self, algorithm: str, key_id: str | None) -> Iterator[Key]:
        """Find the keys that a token may have been signed with.

        Args:
            algorithm: What the token says.
            key_id: What it calls its key, None if it does not say.

        Returns:
            Those that allow the algorithm, and have that name or none.
        """
        for key in self.keys:
            if algorithm in key.algorithms and (key_id is None or key.id in {None, key_id}):
                yield key


def make_key(
    material: object,
    allowed: Collection[str],
    *,
    key_id: str | None = None,
) -> Key | None:
    """Bind a key to its algorithms.

    Args:
        material: A public key of `cryptography`, or a secret.
        allowed: The algorithms to choose from.
        key_id: What tokens call it by.

    Returns:
        The key; None if it is of another type, too weak, or good for none of ``allowed``.
    """
    if isinstance(material, bytes):
        algorithms, encoded = _algorithms_of_secret(material), b"secret" + material
    elif isinstance(material, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        encoded = b"public" + material.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        algorithms = _algorithms_of_public_key(material)
    else:
        return None
    algorithms &= frozenset(allowed)
    if not algorithms:
        return None
    return Key(hashlib.sha256(encoded).digest(), algorithms, material, key_id)


def _algorithms_of_secret(secret: bytes) -> frozenset[str]:
    try:
        # Finds what is a key of another kind.
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except jwt.InvalidKeyError:
        return frozenset()
    return frozenset(name for name, least in _SECRETS.items() if len(secret) >= least)


def _algorithms_of_public_key(
    key: RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey,
) -> frozenset[str]:
    if isinstance(key, RSAPublicKey):
        return _RSA if RSA_BITS[0] <= key.key_size <= RSA_BITS[1] else frozenset()
    if isinstance(key, EllipticCurvePublicKey):
        return frozenset({_CURVES[key.curve.name]} if key.curve.name in _CURVES else ())
    return frozenset({"EdDSA"})


def make_key_set(keys: Iterable[Key]) -> KeySet:
    """Put keys together.

    Args:
        keys: The keys.

    Returns:
        The set.

    Raises:
        NoUsableKey: There is none, or there are too many.
    """
    found = tuple(keys)
    if not found:
        raise NoUsableKey(
            "it has no key that is allowed: RSA of "
            f"{RSA_BITS[0]} to {RSA_BITS[1]} bits, EC (P-256, P-384, P-521) or Ed25519, for a"
            " signature, with an algorithm among those that are configured"
        )
    if len(found) > MAX_KEYS:
        raise NoUsableKey(f"it has more than {MAX_KEYS} keys")
    return KeySet(found)


def parse_jwk_set(text: bytes, allowed: Collection[str]) -> KeySet:
    """Read a JWK set (RFC 7517), or a single JWK.

    Args:
        text: JSON in UTF-8.
        allowed: The algorithms to choose from.

    Returns:
        The keys that may be used. Others are passed over, as RFC 7517, 5 says: those of other
        types, for encryption, too weak, broken; and private keys, which have no business there.

    Raises:
        NoUsableKey: It is no such thing, or has no key that may be used, or too many.
    """
    try:
        value = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NoUsableKey("it is not JSON in UTF-8") from None
    if isinstance(value, dict) and "kty" in value:
        value = {"keys": [value]}
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list):
        raise NoUsableKey('it is no JWK set: an object with a list of "keys"')
    keys = (_parse_jwk(member, allowed) for member in members if isinstance(member, dict))
    return make_key_set(key for key in keys if key is not None)


def _parse_jwk(jwk: dict[str, Any], allowed: Collection[str]) -> Key | None:
    key_id, algorithm = jwk.get("kid"), jwk.get("alg")
    uses = jwk.get("use", "sig"), jwk.get("key_ops", ["verify"])
    if uses[0] != "sig" or not isinstance(uses[1], list) or "verify" not in uses[1]:
        return None
    if "d" in jwk or not isinstance(key_id, str | None):
        return None
    members = {name: jwk[name] for name in _MEMBERS if name in jwk}
    if any(not isinstance(each, str) or len(each) > _MAX_MEMBER for each in members.values()):
        return None
    try:
        material = jwt.PyJWK(members).key
    except (jwt.PyJWTError, ValueError, KeyError, UnsupportedAlgorithm):
        return None
    if algorithm is not None:
        allowed = {algorithm} & set(allowed) if isinstance(algorithm, str) else ()
    return make_key(material, allowed, key_id=key_id)
