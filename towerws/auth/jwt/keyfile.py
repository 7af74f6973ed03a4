"""Keys from a file: a secret, public keys in PEM, or a JWK set.

What the file is, is told from what is in it, and anything that looks like a key in some other form
is refused: taken for a secret, a public key would let everybody sign who can read it.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from towerws.auth.jwt.keys import Key, KeySet, NoUsableKey, make_key, make_key_set, parse_jwk_set
from towerws.core.metrics import Metrics

#: Largest file, in bytes. A JWK set with certificates in it has some 20 kB.
MAX_FILE = 256 * 1024

#: Fewest bytes of a secret: as many as SHA-256 gives (RFC 7518, 3.2).
MIN_SECRET = 32

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_PUBLIC = {b"PUBLIC KEY", b"RSA PUBLIC KEY"}

#: What PEM and the public keys of SSH (RFC 4716, OpenSSH) can be known by.
_ARMOUR = re.compile(rb"---- ?BEGIN |\A\s*(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)")

#: A line, and how it may end: `openssl rand -hex 32 >FILE` ends it, and so does any editor.
_LINE = re.compile(rb"([\x20-\x7e]*)(?:\r?\n)?")


def read_key_file(path: str, allowed: Collection[str]) -> KeySet:
    """Read a file with keys.

    Args:
        path: Of a regular file.
        allowed: The algorithms to choose from.

    Returns:
        Its keys.

    Raises:
        NoUsableKey: There is none in it; the text is one sentence that names the path.
    """
    try:
        if not Path(path).is_file():
            # It is not there; or it is a pipe, on which the server would wait for ever.
            raise NoUsableKey(f"the key file {path} is no file")
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise NoUsableKey(f"the key file {path} cannot be read: {error.strerror}") from None
    try:
        return parse_key_file(content, allowed)
    except NoUsableKey as error:
        raise NoUsableKey(f"the key file {path} is of no use: {error}") from None


def parse_key_file(content: bytes, allowed: Collection[str]) -> KeySet:
    """Take what a key file has in it.

    Args:
        content: Public keys in PEM; or a JWK set, which begins with a brace; or one line of text,
            which is a secret.
        allowed: The algorithms to choose from.

    Returns:
        The keys.

    Raises:
        NoUsableKey: There is none; the text is one sentence without what is in the file.
    """
    if len(content) > MAX_FILE:
        raise NoUsableKey(f"it is larger than {MAX_FILE} bytes")
    if content.lstrip().startswith((b"{", b"[")):
        return parse_jwk_set(content, allowed)
    if _ARMOUR.search(content):
        return make_key_set(_public_keys(content, allowed))
    return make_key_set([_secret(content, allowed)])


def _public_keys(content: bytes, allowed: Collection[str]) -> Iterator[Key]:
    blocks = list(_PEM.finditer(content))
    if not blocks or any(block[1] not in _PUBLIC for block in blocks):
        raise NoUsableKey(
            "it has to have public keys in PEM (BEGIN PUBLIC KEY), which `openssl pkey -pubout`"
            " makes of private keys, and `openssl x509 -pubkey -noout` of certificates"
        )
    for block in blocks:
        try:
            key = make_key(load_pem_public_key(block[0]), allowed)
        except (ValueError, UnsupportedAlgorithm):
            raise NoUsableKey("a public key in it is broken") from None
        if key is None:
            # None is passed over: whoever wrote the file meant each of them.
            raise NoUsableKey(
                "a public key in it is weak, of another type than RSA, EC (P-256, P-384, P-521) and"
                " Ed25519, or for none of the algorithms that are configured"
            )
        yield key


def _secret(content: bytes, allowed: Collection[str]) -> Key:
    line = _LINE.fullmatch(content)
    if line is None:
        raise NoUsableKey(
            "it is neither PEM, nor a JWK set, nor one line of text, which would be a secret;"
            " write a secret of other bytes as a JWK"
        )
    if len(line[1]) < MIN_SECRET:
        raise NoUsableKey(f"a secret has at least {MIN_SECRET} bytes: `openssl rand -hex 32`")
    if _is_bare_key(line[1]):
        raise NoUsableKey("it is a key or a certificate without the lines of PEM around it")
    key = make_key(line[1], allowed)
    if key is None:
        raise NoUsableKey(
            "it is a secret, for HS256, from 48 bytes on HS384 and from 64 on HS512, and none of"
            " these is among the algorithms that are configured"
        )
    return key


def _is_bare_key(text: bytes) -> bool:
    """Tell whether it is base64 of DER: what Keycloak shows as "public key"."""
    digits = text.rstrip(b"= ").replace(b"-", b"+").replace(b"_", b"/")
    try:
        data = base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        return False
    # A SEQUENCE as long as the rest of it.
    if data[:1] != b"\x30" or len(data) < 2:
        return False
    count = data[1] & 0x7F if data[1] & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + count], "big") if count else data[1]
    return length == len(data) - 2 - count


class FileKeys:
    """The keys of a file, read when the server starts and when it is told that the file changed."""

    _log = Logger()

    def __init__(self, path: str, allowed: Collection[str]) -> None:
        """Read the file.

        Args:
            path: The file.
            allowed: The algorithms to choose from.

        Raises:
            NoUsableKey: See `read_key_file`.
        """
        # Later twistd may change the directory.
        path = str(Path(path).absolute())
        self.files = (path,)
        self._allowed = frozenset(allowed)
        self._keys = read_key_file(path, self._allowed)

    def current(self) -> KeySet:
        """Give the keys; see `towerws.auth.jwt.checker.KeySource`."""
        return self._keys

    def look_again(self) -> Deferred[None] | None:
        """Say that there is nothing newer; see `towerws.auth.jwt.checker.KeySource`."""
        return None

    def attach(self, reactor: object, metrics: Metrics) -> None:
        """Need nothing; see `towerws.auth.jwt.checker.KeySource`."""

    def reload(self) -> bool | None:
        """Read the file anew; see `towerws.auth.interfaces.IAttached`."""
        (path,) = self.files
        try:
            self._keys = read_key_file(path, self._allowed)
        except NoUsableKey as error:
            self._log.error("{error}; the keys of before stay", error=error)
            return False
        self._log.info(
            "read {path}: {count} key(s) for tokens", path=path, count=len(self._keys.keys)
        )
        return None

    def detach(self) -> None:
        """Have nothing to let go of; see `towerws.auth.jwt.checker.KeySource`."""
