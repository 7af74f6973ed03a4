"""`towerws.auth.jwt.keyfile`: what a key file may have in it."""

import base64
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import (
    SECRET,
    ec_key,
    ed25519_key,
    jwk,
    jwk_set,
    new_key,
    public_pem,
    rsa_key,
)
from tests.properties import PROPERTY
from towerws.auth.jwt.keyfile import MAX_FILE, FileKeys, parse_key_file, read_key_file
from towerws.auth.jwt.keys import ALGORITHMS, SYMMETRIC, KeySet, NoUsableKey
from towerws.core.metrics import Metrics


class ContentTests(SynchronousTestCase):
    """`parse_key_file` finds out what it is given."""

    def assert_refused(self, content: bytes, pattern: str) -> None:
        """Check that a file is refused, and that nothing of it is repeated.

        Args:
            content: What is in it.
            pattern: What the reason says.
        """
        error = self.assertRaises(NoUsableKey, parse_key_file, content, ALGORITHMS)
        self.assertRegex(str(error), pattern)
        self.assertNotIn(content.decode("latin-1").strip()[:20], str(error))

    def test_public_keys(self) -> None:
        """One key in PEM or several, with other text around them."""
        content = b"# of 2026\n" + public_pem(rsa_key()) + b"\r\n" + public_pem(ec_key())
        keys = parse_key_file(content, ALGORITHMS).keys
        self.assertEqual([len(key.algorithms) for key in keys], [6, 1])
        pkcs1 = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        self.assertEqual(parse_key_file(pkcs1, ALGORITHMS).keys, keys[:1])

    def test_secret(self) -> None:
        """A line, whose end does not count."""
        for end in (b"", b"\n", b"\r\n"):
            (key,) = parse_key_file(SECRET + end, ALGORITHMS).keys
            self.assertEqual(key.material, SECRET)
            self.assertEqual(key.algorithms, SYMMETRIC)

    def test_jwk_set(self) -> None:
        """JSON, which may also have a secret of any bytes."""
        keys = parse_key_file(b"\n" + jwk_set(jwk(bytes(32)), jwk(rsa_key())), ALGORITHMS).keys
        self.assertEqual(keys[0].material, bytes(32))
        self.assertEqual(len(keys), 2)

    def test_short_secret(self) -> None:
        """Fewer than 32 bytes can be guessed; so can nothing."""
        self.assertEqual(len(parse_key_file(SECRET[:32] + b"\n", ALGORITHMS).keys), 1)
        self.assert_refused(SECRET[:31] + b"\n", "at least 32 bytes")
        error = self.assertRaises(NoUsableKey, parse_key_file, b"", ALGORITHMS)
        self.assertIn("at least 32 bytes", str(error))

    def test_a_key_is_never_a_secret(self) -> None:
        """No key of another kind passes for a secret, however it is written."""
        public, der = rsa_key().public_key(), Encoding.DER
        forms = [
            public.public_bytes(der, PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(der, PublicFormat.PKCS1),
            *(
                key.public_key().public_bytes(der, PublicFormat.SubjectPublicKeyInfo)
                for key in (ec_key(), ec_key("P-384"), ec_key("P-521"), ed25519_key())
            ),
            rsa_key().private_bytes(der, PrivateFormat.PKCS8, NoEncryption()),
        ]
        for form in forms:
            self.assert_refused(form, "neither PEM, nor")
            self.assert_refused(base64.b64encode(form), "without the lines of PEM")
            self.assert_refused(base64.urlsafe_b64encode(form).rstrip(b"="), "without the lines")
            self.assert_refused(base64.encodebytes(form), "neither PEM, nor|without the lines")
        pem = public_pem(rsa_key())
        self.assert_refused(pem.decode().encode("utf-16"), "neither PEM, nor")
        self.assert_refused(pem.replace(b"BEGIN PUBLIC", b"BEGIN  PUBLIC"), "public keys in PEM")
        self.assert_refused(pem.partition(b"-----END")[0], "public keys in PEM")
        self.assert_refused(b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", "public keys in PEM")
        ssh = ec_key().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.assert_refused(ssh + b" alice@example.org\n", "public keys in PEM")
        self.assert_refused(json.dumps([jwk(rsa_key())]).encode(), "no JWK set")

    def test_private_key(self) -> None:
        """A private key is refused, also beside a public one: it has no business here."""
        private = ec_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.assert_refused(private, "openssl pkey -pubout")
        self.assert_refused(public_pem(ec_key()) + private, "openssl pkey -pubout")

    def test_bad_public_key(self) -> None:
        """One weak or broken key spoils the file: whoever wrote it meant each of them."""
        good, bad = public_pem(rsa_key()), public_pem(rsa_key(1024))
        self.assert_refused(good + bad, "weak")
        self.assert_refused(good.replace(b"MII", b"AAA"), "broken")

    def test_not_allowed(self) -> None:
        """A key that the configured algorithms are not for is refused with a reason."""
        for content in (SECRET, b"-" * 40, public_pem(rsa_key()), jwk_set(jwk(SECRET))):
            error = self.assertRaises(NoUsableKey, parse_key_file, content, {"ES256"})
            self.assertIn("configured", str(error))

    def test_too_large(self) -> None:
        """A file that is no key file is not read to its end."""
        self.assert_refused(b"A" * (MAX_FILE + 1), "larger than 262144 bytes")

    @PROPERTY
    @given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
    def test_anything(self, content: bytes) -> None:
        """Whatever is in a file, it is a key or refused."""
        try:
            keys = parse_key_file(content, ALGORITHMS)
        except NoUsableKey:
            return
        self.assertTrue(keys.keys)


class FileTests(SynchronousTestCase):
    """`read_key_file` and `FileKeys`."""

    def setUp(self) -> None:
        """Write a file."""
        self.path = self.mktemp()
        self.write(SECRET)

    def write(self, content: bytes) -> None:
        """Change the file."""
        Path(self.path).write_bytes(content)

    def test_unreadable(self) -> None:
        """What is not there, a directory and a pipe are refused at once, with the path."""
        pipe = self.mktemp()
        os.mkfifo(pipe)
        for path in (self.mktemp(), str(Path(self.path).parent), pipe, "\0"):
            error = self.assertRaises(NoUsableKey, read_key_file, path, ALGORITHMS)
            self.assertEqual(str(error), f"the key file {path} is no file")
        path = "long" * 100
        error = self.assertRaises(NoUsableKey, read_key_file, path, ALGORITHMS)
        self.assertEqual(str(error), f"the key file {path} cannot be read: File name too long")
        self.write(b"short")
        error = self.assertRaises(NoUsableKey, read_key_file, self.path, ALGORITHMS)
        self.assertTrue(str(error).startswith(f"the key file {self.path} is of no use: a secret"))

    def test_reload(self) -> None:
        """New keys are taken; when there are none, the old ones stay, and that is logged."""
        keys = FileKeys(self.path, ALGORITHMS)
        keys.attach(None, Metrics())
        self.assertEqual(keys.files, (str(Path(self.path).absolute()),))
        before = keys.current()
        self.write(public_pem(new_key()))
        self.assertIs(keys.current(), before)
        with capturedLogs() as events:
            self.assertIsNone(keys.reload())
            after = keys.current()
            self.write(b"short")
            self.assertIs(keys.reload(), False)
        self.assertNotEqual(after, before)
        self.assertIsInstance(after, KeySet)
        self.assertIs(keys.current(), after)
        self.assertEqual([event["log_level"].name for event in events], ["info", "error"])
        self.assertIsNone(keys.look_again())
        keys.detach()
