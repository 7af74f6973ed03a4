"""An issuer of tokens, with real keys: what it makes, and what only somebody else would make."""

import base64
import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

#: A secret of 64 bytes, which is enough for each hash.
SECRET = b"correct horse battery staple, correct horse battery staple, 0123"

#: When the tests take place, in Unix time.
NOW = 1_795_000_000

#: The claims of a token that needs no option.
CLAIMS = {"sub": "alice", "exp": NOW + 300, "groups": ["jobs-*", "job_events-42"]}


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make an RSA key, once for each size: it takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: str = "P-256") -> ec.EllipticCurvePrivateKey:
    """Make the key of a curve, once for each; `new_key` makes others."""
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return ec.generate_private_key(curves[curve])


@cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    """Make an Ed25519 key, once."""
    return new_key()


def new_key() -> ed25519.Ed25519PrivateKey:
    """Make a key that no other test has; Ed25519 is the quickest."""
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(key: PrivateKey) -> bytes:
    """Write the public half of a key as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: PrivateKey | bytes, **members: Any) -> dict[str, Any]:
    """Write the public half of a key, or a secret, as a JWK.

    Args:
        key: The key.
        **members: More members; None takes one away.

    Returns:
        What `json.dumps` takes.
    """
    if isinstance(key, bytes):
        found: dict[str, Any] = {"kty": "oct", "k": encode(key)}
    elif isinstance(key, rsa.RSAPrivateKey):
        found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        found = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        found = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in (found | members).items() if value is not None}


def jwk_set(*keys: dict[str, Any]) -> bytes:
    """Write a JWK set."""
    return json.dumps({"keys": keys}).encode()


def make_token(
    key: PrivateKey | bytes = SECRET,
    algorithm: str = "HS256",
    headers: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """Make a token as an issuer does.

    Args:
        key: What to sign with.
        algorithm: How.
        headers: More of its header.
        **claims: Instead of those of `CLAIMS`; None takes one away.

    Returns:
        The token.
    """
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm, headers=headers)


def forge(header: object, payload: object, signature: bytes = b"signature") -> str:
    """Put a token together by hand.

    Args:
        header: Bytes, or what becomes JSON.
        payload: The same.
        signature: The signature.

    Returns:
        The token.
    """
    return ".".join(encode(part) for part in (header, payload, signature))


def encode(part: object) -> str:
    """Write bytes, or JSON, as base64url without padding."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
