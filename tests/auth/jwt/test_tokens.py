"""`towerws.auth.jwt.tokens`: where a token is found, and who can make one."""

import hashlib
import hmac
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import (
    CLAIMS,
    SECRET,
    PrivateKey,
    ec_key,
    ed25519_key,
    encode,
    forge,
    jwk,
    make_token,
    new_key,
    public_pem,
    rsa_key,
)
from tests.properties import CHARACTERS, PROPERTY
from towerws.auth.handshake import Handshake
from towerws.auth.jwt import tokens
from towerws.auth.jwt.keys import ALGORITHMS, Key, KeySet, make_key, make_key_set
from towerws.auth.jwt.tokens import MAX_TOKEN, Reason, Refused, find_token, parse_token


def key_set(*keys: PrivateKey | bytes, name: str | None = None) -> KeySet:
    """Make a set of the public halves of keys, and of secrets."""
    made = [
        make_key(key if isinstance(key, bytes) else key.public_key(), ALGORITHMS, key_id=name)
        for key in keys
    ]
    return make_key_set(key for key in made if key is not None)


def verify(text: str, keys: KeySet) -> tuple[bytes, Key]:
    """Take a token as a client sends it through both steps."""
    return tokens.verify(parse_token(text), keys)


class RefusalCase(SynchronousTestCase):
    """A test in which something is refused."""

    def assert_refused(self, reason: Reason, token: str, keys: KeySet) -> None:
        """Check that a token is refused, and why."""
        error = self.assertRaises(Refused, verify, token, keys)
        self.assertIs(error.reason, reason)
        self.assertEqual(str(error), reason.value)


class FindTests(SynchronousTestCase):
    """`find_token` looks where a token may be."""

    def find(
        self,
        headers: dict[str, str],
        *subprotocols: str,
        cookie: str | None = "session",
    ) -> object:
        """Look, and give what is found or why not."""
        try:
            return find_token(Handshake("/", "", headers, subprotocols), cookie)
        except Refused as refused:
            return refused.reason

    def test_places(self) -> None:
        """The header, the subprotocols and the cookie, each by itself."""
        self.assertEqual(self.find({"authorization": "bearer  a.b.c"}), ("a.b.c", False))
        self.assertEqual(self.find({}, "towerws.awx", "bearer.a.b.c"), ("a.b.c", False))
        self.assertEqual(self.find({"cookie": 'x=1; session="a.b.c"'}), ("a.b.c", True))

    def test_nowhere(self) -> None:
        """A cookie counts only if it is configured, and an empty one does not."""
        for headers in ({}, {"cookie": "session="}, {"authorization": "Basic a.b.c"}):
            self.assertEqual(self.find(headers), Reason.MISSING)
        self.assertEqual(self.find({"cookie": "session=a.b.c"}, cookie=None), Reason.MISSING)
        self.assertEqual(self.find({"authorization": "Bearer"}, "bearer"), Reason.MISSING)

    def test_on_purpose(self) -> None:
        """What the client named on purpose comes before a cookie, and must agree."""
        headers = {"authorization": "Bearer a.b.c", "cookie": "session=d.e.f"}
        self.assertEqual(self.find(headers), ("a.b.c", False))
        self.assertEqual(self.find({"cookie": "session=d.e.f"}, "bearer.a.b.c"), ("a.b.c", False))
        self.assertEqual(self.find(headers, "bearer.a.b.c"), ("a.b.c", False))
        self.assertEqual(self.find(headers, "bearer.a.b.d"), Reason.AMBIGUOUS)
        self.assertEqual(self.find({}, "bearer.a.b.c", "bearer.a.b.d"), Reason.AMBIGUOUS)

    def test_no_second_try(self) -> None:
        """A token on purpose that is none does not make way for the cookie's."""
        self.assertEqual(self.find({"cookie": "session=d.e.f"}, "bearer."), ("", False))


class VerifyTests(RefusalCase):
    """`verify` finds the key, or none."""

    def test_algorithms(self) -> None:
        """Every algorithm, with the key that it is for and no other."""
        keys: dict[str, PrivateKey | bytes] = {
            **dict.fromkeys(("HS256", "HS384", "HS512"), SECRET),
            **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), rsa_key()),
            "ES256": ec_key("P-256"),
            "ES384": ec_key("P-384"),
            "ES512": ec_key("P-521"),
            "EdDSA": ed25519_key(),
        }
        self.assertEqual(set(keys), ALGORITHMS)
        for algorithm, key in keys.items():
            token = make_token(key, algorithm)
            payload, found = verify(token, key_set(*keys.values()))
            self.assertEqual(encode(payload), token.split(".")[1])
            self.assertIn(found, key_set(key))
            others = [other for other in keys.values() if other is not key]
            self.assert_refused(Reason.KEY, token, key_set(*others))

    def test_signature(self) -> None:
        """Another key of the same type, and a payload or header that was changed."""
        token = make_token(ed25519_key(), "EdDSA")
        header, payload, signature = token.split(".")
        for other in (
            make_token(new_key(), "EdDSA"),
            f"{header}.{encode({'sub': 'root'})}.{signature}",
            f"{encode({'alg': 'EdDSA', 'typ': 'x'})}.{payload}.{signature}",
            f"{header}.{payload}.{signature[:-8]}",
            f"{header}.{payload}.{'A' * 86}",
        ):
            self.assert_refused(Reason.SIGNATURE, other, key_set(ed25519_key()))

    def test_names(self) -> None:
        """A token's name for its key is obeyed; keys without a name are tried."""
        token = make_token(ed25519_key(), "EdDSA", {"kid": "a"})
        verify(token, key_set(ed25519_key(), name="a"))
        verify(token, key_set(new_key(), ed25519_key()))
        verify(make_token(ed25519_key(), "EdDSA"), key_set(ed25519_key(), name="a"))
        self.assert_refused(Reason.KEY, token, key_set(ed25519_key(), name="b"))
        self.assert_refused(Reason.SIGNATURE, token, key_set(new_key(), name="a"))

    def test_repr(self) -> None:
        """A token shows nothing that could be used."""
        self.assertEqual(repr(parse_token(make_token())), "Token(algorithm='HS256', key_id=None)")

    def test_size(self) -> None:
        """A token has a largest size, whatever it is."""
        token = make_token(note="A" * 5_800)
        self.assertLess(len(token), MAX_TOKEN)
        verify(token, key_set(SECRET))
        self.assert_refused(Reason.TOO_LONG, make_token(note="A" * 6_200), key_set(SECRET))
        self.assert_refused(Reason.TOO_LONG, "." * (MAX_TOKEN + 1), key_set(SECRET))


class AttackTests(RefusalCase):
    """What has broken others; see RFC 8725."""

    def sign(self, secret: bytes, header: dict[str, Any]) -> str:
        """Sign by HMAC with SHA-256, as no library would."""
        signed = f"{encode(header)}.{encode(CLAIMS)}"
        return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    def test_public_key_as_secret(self) -> None:
        """Who has the public key cannot sign with it, in whichever form."""
        pem = public_pem(rsa_key())
        for secret in (pem, pem.strip(), pem.replace(b"\n", b"\r\n"), b""):
            for algorithm in ("HS256", "RS256", "PS256"):
                token = self.sign(secret, {"alg": algorithm})
                found = Reason.KEY if algorithm == "HS256" else Reason.SIGNATURE
                self.assert_refused(found, token, key_set(rsa_key()))
                # Nor where there is a secret as well.
                self.assert_refused(Reason.SIGNATURE, token, key_set(rsa_key(), SECRET))

    def test_none(self) -> None:
        """No spelling of ``none`` is an algorithm, with a signature or without."""
        keys = key_set(SECRET, rsa_key(), ed25519_key())
        for name in ("none", "None", "NONE", "nOnE", "none ", "", "\0", "HS256\0", "hs256"):
            self.assert_refused(Reason.ALGORITHM, forge({"alg": name}, CLAIMS), keys)
            self.assert_refused(Reason.MALFORMED, forge({"alg": name}, CLAIMS, b""), keys)

    def test_header_of_wrong_types(self) -> None:
        """An algorithm that is missing or no text, and a name that is no text."""
        headers: tuple[object, ...] = (
            {},
            *({"alg": alg} for alg in (None, 1, True, [], ["HS256"], {"HS256": 1})),
            *({"alg": "HS256", "kid": kid} for kid in (1, [1], {"a": 1}, False)),
            [],
            "HS256",
            None,
            1,
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 4_000,
            b'{"alg":' * 800,
        )
        for header in headers:
            self.assert_refused(Reason.MALFORMED, forge(header, CLAIMS), key_set(SECRET))

    def test_extensions(self) -> None:
        """What must be understood is not: ``crit``, and ``b64`` even without it."""
        extras: tuple[dict[str, Any], ...] = (
            {"crit": ["exp"]},
            {"crit": []},
            {"crit": None},
            {"crit": ["b64"], "b64": True},
            {"b64": False},
        )
        for extra in extras:
            token = self.sign(SECRET, {"alg": "HS256"} | extra)
            self.assert_refused(Reason.CRITICAL, token, key_set(SECRET))

    def test_keys_of_the_token(self) -> None:
        """A key that the token brings along, or says where to fetch, is not even looked at."""
        mine = new_key()
        extra = {
            "jwk": jwk(mine),
            "jku": "http://127.0.0.1:1/",
            "x5u": "http://127.0.0.1:1/",
            "x5c": ["AAAA"],
        }
        token = make_token(mine, "EdDSA", extra)
        self.assert_refused(Reason.SIGNATURE, token, key_set(ed25519_key()))
        verify(make_token(ed25519_key(), "EdDSA", extra), key_set(ed25519_key()))

    def test_curve(self) -> None:
        """A signature of zeros (CVE-2022-21449), or of a wrong length, is wrong."""
        for signature in (bytes(64), bytes(63), bytes(1), b"\xff" * 64, bytes(2_000)):
            token = forge({"alg": "ES256"}, CLAIMS, signature)
            self.assert_refused(Reason.SIGNATURE, token, key_set(ec_key()))

    def test_other_forms(self) -> None:
        """What is no signed token in compact form."""
        token = make_token()
        for text in (
            "",
            ".",
            "..",
            "a.b",
            f"{token}.",
            f".{token}",
            f"{token}.{token}",
            f"{token}\n",
            f" {token}",
            f"{token}=",
            token.replace(".", "..", 1),
            token.rpartition(".")[0] + ".",
            f"Bearer {token}",
            f"{token}, {token}",
            "é.é.é",
            "\ud800.a.a",
            "a.a.a",
            '{"protected": ""}',
        ):
            self.assert_refused(Reason.MALFORMED, text, key_set(SECRET))

    def test_nested(self) -> None:
        """A token within a token is verified like any other text, and is no claims then."""
        inner = make_token()
        token = forge({"alg": "HS256", "cty": "JWT"}, inner.encode())
        self.assert_refused(Reason.SIGNATURE, token, key_set(SECRET))


class AnythingTests(SynchronousTestCase):
    """Whatever clients send."""

    def check(self, token: str) -> None:
        """Check that it is refused, and that nothing else happens."""
        keys = key_set(SECRET, rsa_key(), ec_key(), ed25519_key())
        self.assertRaises(Refused, verify, token, keys)

    @PROPERTY
    @given(st.text(CHARACTERS | st.sampled_from(".-_=")))
    @example("eyJhbGciOiJIUzI1NiJ9.e30.")
    def test_text(self, token: str) -> None:
        """Any text."""
        self.check(token)

    @PROPERTY
    @given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
    def test_parts(self, header: bytes, payload: bytes, signature: bytes) -> None:
        """Three parts of any bytes."""
        self.check(forge(header, payload, signature))

    @PROPERTY
    @given(
        st.fixed_dictionaries(
            {"alg": st.sampled_from([*sorted(ALGORITHMS), "none"])},
            optional={"kid": st.none() | st.text(), "typ": st.text(), "crit": st.lists(st.text())},
        ),
        st.binary(max_size=600),
    )
    def test_headers(self, header: dict[str, object], signature: bytes) -> None:
        """A header that is nearly right, and any signature."""
        self.check(forge(header, CLAIMS, signature))
