"""Tests of `towerws.core.broker_url`."""

from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS
from towerws.core.broker_url import BrokerURL

deterministic = settings(derandomize=True, deadline=None, database=None, max_examples=100)

#: A password with everything in it that a URL has a meaning for.
NASTY = "p@ss:w/rd?#%[],é&="


class ParseTests(SynchronousTestCase):
    """Trap 28: URLs as RabbitMQ's specification has them."""

    def test_defaults(self) -> None:
        """A host is enough."""
        url = BrokerURL.parse("amqp://broker")
        self.assertEqual(url, BrokerURL(hosts=(("broker", 5672),)))
        self.assertEqual((url.username, url.password, url.vhost), ("guest", "guest", "/"))
        self.assertEqual((url.heartbeat, url.connection_timeout, url.tls), (20, 10, False))

    def test_everything(self) -> None:
        """All parts at once."""
        self.assertEqual(
            BrokerURL.parse(
                "AMQPS://user:secret@h1:1,h2,[::1]:3,[fe80::1]/events?heartbeat=5"
                "&connection_timeout=3&cacertfile=%2Fca%20file.pem&certfile=/c&keyfile=/k"
                "&verify=verify_none&server_name_indication=broker.example\n"
            ),
            BrokerURL(
                hosts=(("h1", 1), ("h2", 5671), ("::1", 3), ("fe80::1", 5671)),
                tls=True,
                username="user",
                password="secret",
                vhost="events",
                heartbeat=5,
                connection_timeout=3,
                cacertfile="/ca file.pem",
                certfile="/c",
                keyfile="/k",
                verify="verify_none",
                server_name_indication="broker.example",
            ),
        )

    def test_vhosts(self) -> None:
        """No path and a bare slash are RabbitMQ's default vhost."""
        for path, vhost in (
            ("", "/"),
            ("/", "/"),
            ("/%2F", "/"),
            ("/%2f", "/"),
            ("/a%2Fb", "a/b"),
            ("/%C3%A9", "é"),
            ("/a+b", "a+b"),
            ("?heartbeat=5", "/"),
        ):
            self.assertEqual(BrokerURL.parse(f"amqp://h{path}").vhost, vhost)

    def test_credentials(self) -> None:
        """User and password are percent-decoded, and a missing password is an empty one."""
        for userinfo, username, password in (
            ("u:p", "u", "p"),
            ("u", "u", ""),
            ("u:", "u", ""),
            ("%40:p%40w", "@", "p@w"),
            ("u:a%3Ab+c", "u", "a:b+c"),
            (f"u:{quote(NASTY, safe='')}", "u", NASTY),
        ):
            url = BrokerURL.parse(f"amqp://{userinfo}@h")
            self.assertEqual((url.username, url.password), (username, password))

    def test_hosts(self) -> None:
        """Names, addresses and an empty port."""
        for text, host in (
            ("h", ("h", 5672)),
            ("h:", ("h", 5672)),
            ("127.0.0.1:65535", ("127.0.0.1", 65535)),
            ("[0:0:0:0:0:0:0:1]", ("::1", 5672)),
            ("rabbit_1.my-zone.example.", ("rabbit_1.my-zone.example.", 5672)),
            ("_rabbit-.x", ("_rabbit-.x", 5672)),
            ("-rabbit", ("-rabbit", 5672)),
        ):
            self.assertEqual(BrokerURL.parse(f"amqp://{text}").hosts, (host,))

    @deterministic
    @given(st.text(CHARACTERS, min_size=1), st.text(CHARACTERS), st.text(CHARACTERS, max_size=50))
    def test_round_trip(self, username: str, password: str, vhost: str) -> None:
        """Whatever is percent-encoded comes back as it was, but for the empty vhost."""
        try:
            parts = [quote(each, safe="") for each in (username, password, vhost)]
        except UnicodeEncodeError:
            return
        if "\x00" in username + password + vhost:
            return
        url = BrokerURL.parse("amqp://{}:{}@h/{}".format(*parts))
        self.assertEqual((url.username, url.password), (username, password))
        self.assertEqual(url.vhost, vhost or "/")


class ErrorTests(SynchronousTestCase):
    """What is not a URL is refused with a sentence."""

    def test_sentences(self) -> None:
        """Each mistake is named."""
        for text, sentence in (
            ("", "must begin with amqp:// or amqps://"),
            ("http://h", "must begin with"),
            ("amqp:h", "must begin with"),
            ("amqp://a b", "space or a control"),
            ("amqp://h/a/b", "written as %2F"),
            ("amqp://h//", "written as %2F"),
            ("amqp://", "neither a name nor an address"),
            ("amqp://h1,,h2", "neither a name nor an address"),
            ("amqp://a..b", "neither a name nor an address"),
            (f"amqp://{'x' * 64}", "neither a name nor an address"),
            ("amqp://::1", "neither a name nor an address"),
            ("amqp://hé", "neither a name nor an address"),
            ("amqp://[::1", "neither a name nor an address"),
            ("amqp://[::z]", "bad IPv6"),
            ("amqp://[::1%25eth0]", "neither a name nor an address"),
            ("amqp://h:0", "port that is not a number from 1 to 65535"),
            ("amqp://h:65536", "port"),
            ("amqp://h:-1", "port"),
            ("amqp://h:x", "port"),
            ("amqp://@h", "no user name"),
            ("amqp://:p@h", "no user name"),
            ("amqp://u:p:q@h", "ambiguous"),
            ("amqp://u@v:p@h", "ambiguous"),
            ("amqp://u:%zz@h", "password .* not followed by two hexadecimal"),
            ("amqp://u:%@h", "password .* not followed by two hexadecimal"),
            ("amqp://%ff@h", "user name .* not UTF-8"),
            ("amqp://h/%00", "vhost .* zero byte"),
            (f"amqp://h/{'x' * 256}", "longer than 255 bytes"),
            ("amqp://u:p/w@h", "percent-encoded"),
            ("amqp://u:p?w@h", "percent-encoded"),
            ("amqp://u:p#w@h", "percent-encoded"),
            ("amqp://h?a?b", "percent-encoded"),
            ("amqp://h?heartbeats=5", "not one of heartbeat, connection_timeout, cacertfile"),
            ("amqp://h?", None),
            ("amqp://h?heartbeat=5&", "not one of"),
            ("amqp://h?heartbeat=5&heartbeat=5", "heartbeat twice"),
            ("amqp://h?heartbeat", "heartbeat .* whole seconds from 0 to 3600"),
            ("amqp://h?heartbeat=-1", "from 0 to 3600"),
            ("amqp://h?heartbeat=3601", "from 0 to 3600"),
            ("amqp://h?heartbeat=1.5", "from 0 to 3600"),
            ("amqp://h?connection_timeout=0", "from 1 to 300"),
            # RabbitMQ's own unit, milliseconds, is out of range and so cannot be misread.
            ("amqp://h?connection_timeout=10000", "whole seconds from 1 to 300"),
            ("amqp://h?cacertfile=/ca.pem", "needs amqps://"),
            ("amqps://h?cacertfile=", "is empty"),
            ("amqps://h?certfile=/c", "need each other"),
            ("amqps://h?keyfile=/k", "need each other"),
            ("amqps://h?verify=no", "verify_peer or verify_none"),
            ("amqps://h?server_name_indication=", "not a host name"),
            ("amqps://h?server_name_indication=a/b", "not a host name"),
        ):
            if sentence is None:
                BrokerURL.parse(text)
                continue
            with self.assertRaisesRegex(ValueError, sentence, msg=text):
                BrokerURL.parse(text)

    def test_password_is_never_told(self) -> None:
        """A password that was not encoded spills into all parts of a URL, but into no error."""
        secret = "s3cr3t"
        for before in ("", "@", ":", "/", "?", "#", "%", "[", "]", ",", "/x?", "@/", "/?@", "?&"):
            for after in ("", "@", ":", "/", "?", "#", "%", "[", "]", ",", "=", "&"):
                for scheme in ("amqp://", "amqps://", "http://", ""):
                    text = f"{scheme}user:{before}{secret}{after}@host:5672/vhost?heartbeat=x"
                    with self.assertRaises(ValueError) as caught:
                        BrokerURL.parse(text)
                    self.assertNotIn(secret, str(caught.exception))
                    self.assertIsNone(caught.exception.__cause__)

    @deterministic
    @given(st.text(CHARACTERS, max_size=40), st.sampled_from(["", "amqp://", "amqps://u:p@h/?"]))
    def test_arbitrary_text(self, text: str, start: str) -> None:
        """Nothing but ``ValueError`` comes out of any text."""
        try:
            BrokerURL.parse(start + text)
        except ValueError as error:
            self.assertTrue(str(error))


class TextTests(SynchronousTestCase):
    """How a URL is shown."""

    def test_redacted(self) -> None:
        """Neither form has the password."""
        url = BrokerURL.parse("amqps://us%40er:s3cr3t@h1,[::1]:5/a%2Fb?heartbeat=5")
        text = "amqps://us%40er:***@h1:5671,[::1]:5/a%2Fb"
        self.assertEqual(str(url), text)
        self.assertEqual(repr(url), f"<BrokerURL {text}>")
        self.assertEqual(f"{url}", text)

    def test_default_vhost(self) -> None:
        """What is shown can be pasted, but for the password."""
        self.assertEqual(str(BrokerURL.parse("amqp://h")), "amqp://guest:***@h:5672/%2F")

    def test_immutable(self) -> None:
        """A URL can be shared."""
        url: Any = BrokerURL.parse("amqp://h")
        with self.assertRaises(AttributeError):
            url.vhost = "x"
