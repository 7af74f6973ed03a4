"""The OpenSSL context of a listener, from the files that an ``ssl:`` endpoint names."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto

from towerws.network.client_tls import read_certificates

#: What TLS 1.2 may use: authenticated encryption, and keys that are of no use to who gets hold of
#: the private key later; DHE only with dhParameters. (Mozilla's "intermediate"; Twisted's list has
#: RSA key exchange and CBC as well.) TLS 1.3 has nothing else.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!DSS"


class TLSError(Exception):
    """An endpoint string or one of its files is of no use; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """What an endpoint string says about TLS; absolute paths of PEM files.

    Attributes:
        key: The private key, not encrypted.
        certificate: The certificate, and those that lead from it to an authority.
        chain: More of the latter.
        dh: Parameters for Diffie-Hellman.
        client_ca: The authorities whose certificates clients may show; None to ask for none.
        client_required: Whether a client has to show one.
    """

    key: str
    certificate: str
    chain: str | None = None
    dh: str | None = None
    client_ca: str | None = None
    client_required: bool = True

    def paths(self) -> tuple[str, ...]:
        """Give the paths of all that there are."""
        every = (self.certificate, self.key, self.chain, self.dh, self.client_ca)
        return tuple(dict.fromkeys(path for path in every if path is not None))


def load_context(files: TLSFiles) -> tuple[SSL.Context, datetime]:
    """Read the files.

    Args:
        files: Their paths.

    Returns:
        A context for servers, and the end of the certificate's validity.

    Raises:
        TLSError: They are of no use; nothing of what is in them is told.
    """
    own, *chain = _certificates(files.certificate)
    chain += _certificates(files.chain) if files.chain else ()
    key = _private_key(files.key)
    if key.public_key() != own.public_key():
        raise TLSError(
            f"the key in {files.key} does not belong to the certificate in {files.certificate}"
        )
    context = SSL.Context(SSL.TLS_METHOD)
    _restrict(context)
    try:
        context.use_certificate(own)
        for each in chain:
            context.add_extra_chain_cert(each)
        context.use_privatekey(key)
    except SSL.Error as error:
        # Such as a key that is too short for what the system demands of keys.
        raise TLSError(f"OpenSSL refuses {files.certificate}{_reason(error)}") from None
    if files.dh is not None:
        _read_dh(context, files.dh)
    if files.client_ca is not None:
        _demand(context, files.client_ca, required=files.client_required)
    # At last: OpenSSL tries it, and after that nothing can be changed.
    context.set_cipher_list(CIPHERS)
    return context, own.not_valid_after_utc


def _restrict(context: SSL.Context) -> None:
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # OpenSSL wants one where clients show certificates.
    context.set_session_id(b"towerws")
    # Buffers of connections that are idle, which most are, are given back.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_alpn_select_callback(_choose_protocol)


def _choose_protocol(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    # The operators' site would speak HTTP/2 as soon as h2 is installed, which nothing here is
    # tested with; who does not offer the one that we speak gets it all the same, as without ALPN.
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _demand(context: SSL.Context, path: str, *, required: bool) -> None:
    _certificates(path)
    try:
        context.load_verify_locations(path)
        # Browsers offer their user the certificates of these only.
        context.load_client_ca(os.fsencode(path))
    except SSL.Error as error:
        raise TLSError(f"OpenSSL refuses {path}{_reason(error)}") from None
    context.set_verify(SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0))


def _read_dh(context: SSL.Context, path: str) -> None:
    _read(path)
    try:
        context.load_tmp_dh(path)
    except SSL.Error as error:
        raise TLSError(f"{path} has no parameters for Diffie-Hellman{_reason(error)}") from None


def _certificates(path: str) -> list[x509.Certificate]:
    try:
        return [x509.load_pem_x509_certificate(pem) for pem in read_certificates(path)]
    except OSError as error:
        raise TLSError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        known = str(error) == "has no PEM certificate"
        raise TLSError(f"{path} {error if known else 'has a broken certificate'}") from None


def _private_key(path: str) -> Any:
    content = _read(path)
    asked: list[bool] = []

    def no_passphrase(*_: object) -> bytes:
        # OpenSSL's own way is to ask on the terminal, and to wait for the answer.
        asked.append(True)
        return b""

    try:
        # Of cryptography's own loader a certificate in front of the key would make an error.
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, content, no_passphrase)
    except crypto.Error:
        reason = "is encrypted" if asked else "has no private key in PEM"
        raise TLSError(f"{path} {reason}") from None
    return key.to_cryptography_key()


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TLSError(f"{path} cannot be read: {error.strerror}") from None


def _reason(error: SSL.Error) -> str:
    # OpenSSL.SSL.Error carries its queue of errors: (library, function, reason) each.
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return f": {queue[-1][-1]}" if queue else ""
