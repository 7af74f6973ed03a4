"""`towerws.auth.jwt.keys`: what a key may be used for, and JWK sets."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import (
    SECRET,
    ec_key,
    ed25519_key,
    jwk,
    jwk_set,
    new_key,
    rsa_key,
)
from towerws.auth.jwt.keys import (
    ALGORITHMS,
    ASYMMETRIC,
    MAX_KEYS,
    Key,
    NoUsableKey,
    make_key,
    make_key_set,
    parse_jwk_set,
)

_RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def _algorithms(material: object) -> set[str]:
    key = make_key(material, ALGORITHMS)
    return set(key.algorithms) if key is not None else set()


class BindingTests(SynchronousTestCase):
    """The type of a key decides on its algorithms."""

    def test_types(self) -> None:
        """Each type has its own, and no algorithm is for two types."""
        found = [
            _algorithms(key)
            for key in (
                rsa_key().public_key(),
                ec_key("P-256").public_key(),
                ec_key("P-384").public_key(),
                ec_key("P-521").public_key(),
                ed25519_key().public_key(),
                SECRET,
            )
        ]
        self.assertEqual(
            found, [_RSA, {"ES256"}, {"ES384"}, {"ES512"}, {"EdDSA"}, {"HS256", "HS384", "HS512"}]
        )
        self.assertEqual(sum(map(len, found)), len(ALGORITHMS))
        self.assertNotIn("none", ALGORITHMS)

    def test_length_of_a_secret(self) -> None:
        """A secret is as long as the hash that it is used with."""
        self.assertEqual(
            {length: _algorithms(SECRET[:length]) for length in (31, 32, 47, 48, 63, 64)},
            {
                31: set(),
                32: {"HS256"},
                47: {"HS256"},
                48: {"HS256", "HS384"},
                63: {"HS256", "HS384"},
                64: {"HS256", "HS384", "HS512"},
            },
        )

    def test_a_public_key_is_no_secret(self) -> None:
        """Bytes that are a key of another kind are not taken for a secret."""
        pem = b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 64 + b"\n-----END PUBLIC KEY-----\n"
        self.assertEqual(_algorithms(pem), set())
        self.assertEqual(_algorithms(b"ssh-rsa " + b"A" * 64), set())

    def test_weak_and_strange(self) -> None:
        """RSA below 2048 bits and types that no algorithm here is for are refused."""
        self.assertEqual(_algorithms(rsa_key(1024).public_key()), set())
        self.assertEqual(_algorithms(ec.generate_private_key(ec.SECP256K1()).public_key()), set())
        self.assertEqual(_algorithms(ed448.Ed448PrivateKey.generate().public_key()), set())
        self.assertEqual(_algorithms(dsa.DSAPublicNumbers), set())
        self.assertEqual(_algorithms(rsa_key()), set(), "a private key")
        self.assertEqual(_algorithms(SECRET.decode()), set(), "text")

    def test_what_is_allowed(self) -> None:
        """The operator's choice narrows, and can take everything."""
        public = rsa_key().public_key()
        key = make_key(public, {"PS256", "HS256", "ES256"}, key_id="a")
        assert key is not None
        self.assertEqual((key.algorithms, key.id), (frozenset({"PS256"}), "a"))
        self.assertIsNone(make_key(public, {"HS256"}))

    def test_equality(self) -> None:
        """The same key is equal whatever it is called; another is not."""
        public = new_key().public_key()
        key = make_key(public, ALGORITHMS, key_id="a")
        self.assertEqual(key, make_key(public, ALGORITHMS, key_id="b"))
        self.assertNotEqual(key, make_key(new_key().public_key(), ALGORITHMS, key_id="a"))

    def test_repr(self) -> None:
        """A key shows nothing of itself, not even a digest that could be tried against guesses."""
        key = make_key(SECRET, {"HS256"}, key_id="a")
        self.assertEqual(repr(key), "Key(algorithms=frozenset({'HS256'}), id='a')")


class FittingTests(SynchronousTestCase):
    """Which keys of a set a token may have been signed with."""

    def test_by_name_and_algorithm(self) -> None:
        """A key with another name, or for another algorithm, does not fit; one without does."""

        def key(name: str | None, algorithm: str) -> Key:
            material = ec_key().public_key() if algorithm == "ES256" else new_key().public_key()
            made = make_key(material, {algorithm}, key_id=name)
            assert made is not None
            return made

        a, b, c, d = key("a", "EdDSA"), key("b", "EdDSA"), key(None, "EdDSA"), key("a", "ES256")
        keys = make_key_set([a, b, c, d])
        self.assertEqual(list(keys.fitting("EdDSA", "a")), [a, c])
        self.assertEqual(list(keys.fitting("EdDSA", None)), [a, b, c])
        self.assertEqual(list(keys.fitting("EdDSA", "z")), [c])
        self.assertEqual(list(keys.fitting("ES256", "b")), [])
        self.assertIn(a, keys)
        self.assertNotIn(key("a", "EdDSA"), keys)


class JWKSetTests(SynchronousTestCase):
    """`parse_jwk_set`."""

    def test_all_types(self) -> None:
        """One key of each type, with its name."""
        text = jwk_set(
            jwk(rsa_key(), kid="r", use="sig"),
            jwk(ec_key(), kid="e", key_ops=None),
            jwk(ed25519_key()),
            jwk(SECRET, kid="s", alg="HS512"),
        )
        found = [(key.id, set(key.algorithms)) for key in parse_jwk_set(text, ALGORITHMS).keys]
        self.assertEqual(
            found, [("r", _RSA), ("e", {"ES256"}), (None, {"EdDSA"}), ("s", {"HS512"})]
        )
        self.assertEqual(len(parse_jwk_set(text, ASYMMETRIC).keys), 3)

    def test_single(self) -> None:
        """A JWK by itself is a set of one."""
        text = json.dumps(jwk(ec_key())).encode()
        self.assertEqual(len(parse_jwk_set(text, ALGORITHMS).keys), 1)

    def test_passes_over(self) -> None:
        """Keys for something else, broken ones and private ones do not spoil the set."""
        good: dict[str, Any] = jwk(ed25519_key(), kid="good")
        others: list[Any] = [
            good | {"use": "enc"},
            good | {"key_ops": ["sign"]},
            good | {"key_ops": "verify"},
            good | {"d": good["x"]},
            good | {"kid": 1},
            good | {"alg": "RS256"},
            good | {"alg": ["EdDSA"]},
            good | {"kty": "RSA"},
            good | {"kty": 1},
            good | {"kty": ""},
            good | {"crv": "Ed448"},
            good | {"crv": "P-256"},
            good | {"x": "AA"},
            good | {"x": "\ud800"},
            good | {"x": "A" * 5000},
            good | {"x": None},
            jwk(ec_key(), crv="P-384"),
            jwk(ec_key(), y="A" * 43),
            jwk(ec_key(), y=None),
            jwk(rsa_key(1024)),
            jwk(rsa_key(), n="AAAA"),
            jwk(rsa_key(), e=""),
            jwk(SECRET[:31]),
            {"kty": "oct"},
            {},
            None,
            "key",
            1,
        ]
        keys = parse_jwk_set(jwk_set(*others, good), ALGORITHMS).keys
        self.assertEqual([key.id for key in keys], ["good"])

    def test_no_set(self) -> None:
        """What is no JWK set is told from one without a key; neither repeats what is in it."""
        for text in (
            b"",
            b"\xff",
            b"<html>",
            b'{"keys": ',
            b"[" * 100_000,
            b'{"keys": {}}',
            b"[]",
            b"1",
            b"{}",
        ):
            error = self.assertRaises(NoUsableKey, parse_jwk_set, text, ALGORITHMS)
            self.assertRegex(str(error), "not JSON in UTF-8|no JWK set")
        error = self.assertRaises(NoUsableKey, parse_jwk_set, b'{"keys": []}', ALGORITHMS)
        self.assertIn("no key that is allowed", str(error))

    def test_too_many(self) -> None:
        """A set has a largest size, because a token without a name is tried with each key."""
        keys = [jwk(new_key()) for _ in range(MAX_KEYS + 1)]
        self.assertEqual(len(parse_jwk_set(jwk_set(*keys[1:]), ALGORITHMS).keys), MAX_KEYS)
        error = self.assertRaises(NoUsableKey, parse_jwk_set, jwk_set(*keys), ALGORITHMS)
        self.assertEqual(str(error), f"it has more than {MAX_KEYS} keys")
