"""`towerws.auth.arguments`: ``--auth NAME:key=value,key=value``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.strcred import InvalidAuthArgumentString
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.auth.arguments import (
    parse_arguments,
    read_choice,
    read_cookie_name,
    read_patterns,
    read_seconds,
)
from towerws.core.patterns import Patterns

_KEYS = ("audience", "key", "url")

#: Values that can be written: a backslash before a comma would be taken for an escape.
_VALUES = st.text(CHARACTERS, min_size=1, max_size=12).filter(
    lambda value: not value.endswith("\\") and "\\," not in value
)


class ParseArgumentsTests(SynchronousTestCase):
    """`parse_arguments`."""

    def test_nothing(self) -> None:
        """No arguments are none."""
        self.assertEqual(parse_arguments("", _KEYS), {})

    def test_values(self) -> None:
        """Values by key; all behind the first equals sign is value, colons and blanks included."""
        self.assertEqual(parse_arguments("key=/etc/key.pem", _KEYS), {"key": "/etc/key.pem"})
        self.assertEqual(
            parse_arguments("url=https://h:8043/keys?a=b, audience= x", ("url", " audience")),
            {"url": "https://h:8043/keys?a=b", " audience": " x"},
        )

    def test_escaped(self) -> None:
        r"""``\,`` is a comma, any other backslash is itself."""
        self.assertEqual(parse_arguments(r"key=a\,b,url=c\d", _KEYS), {"key": "a,b", "url": r"c\d"})

    def _refusal(self, text: str) -> str:
        return str(self.assertRaises(InvalidAuthArgumentString, parse_arguments, text, _KEYS))

    def test_refused(self) -> None:
        """Each mistake has its sentence."""
        no_argument = "an argument is not key=value; commas separate them"
        for text, sentence in (
            ("s3cret", no_argument),
            ("key=a,", no_argument),
            (",key=a", no_argument),
            ("secret=a", "'secret' is not one of audience, key, url"),
            ("Key=a", "'Key' is not one of audience, key, url"),
            ("=a", "'' is not one of audience, key, url"),
            ("key=", "key has no value"),
            ("key=,url=a", "key has no value"),
            ("key=a,key=a", "key is given twice"),
        ):
            self.assertEqual(self._refusal(text), sentence, text)

    def test_values_are_not_repeated(self) -> None:
        """A value may be a secret, and so may what was taken for an argument."""
        for text in ("s3cret", "key=s3cret,key=s3cret", "key=s3cret,url", "nothing=s3cret"):
            self.assertNotIn("s3cret", self._refusal(text))

    @given(st.dictionaries(st.sampled_from(_KEYS), _VALUES))
    @PROPERTY
    def test_round_trip(self, arguments: dict[str, str]) -> None:
        """What is written as the documentation says comes out as it was."""
        pieces = (f"{key}={value.replace(',', chr(92) + ',')}" for key, value in arguments.items())
        self.assertEqual(parse_arguments(",".join(pieces), _KEYS), arguments)

    @given(st.text(st.sampled_from("keyurl=,\\") | CHARACTERS, max_size=20))
    @PROPERTY
    def test_anything(self, text: str) -> None:
        """Whatever is typed is read, or refused as `twisted.cred` wants it."""
        try:
            arguments = parse_arguments(text, _KEYS)
        except InvalidAuthArgumentString:
            return
        self.assertTrue(all(key in _KEYS and value for key, value in arguments.items()))


class ReadSecondsTests(SynchronousTestCase):
    """`read_seconds`."""

    def test_numbers(self) -> None:
        """Whole numbers and fractions within the limits, which may be met; or the default."""
        for text, seconds in (("0.1", 0.1), ("2", 2.0), ("60", 60.0)):
            self.assertEqual(read_seconds({"key": text}, "key", 5, 0.1, 60), seconds)
        self.assertEqual(read_seconds({}, "key", 5, 0.1, 60), 5)

    def test_refused(self) -> None:
        """Anything else is refused, with the limits and without what was given."""
        for text in ("0", "-1", "60.1", "nan", "inf", "s3cret", ""):
            with self.assertRaises(InvalidAuthArgumentString) as caught:
                read_seconds({"key": text}, "key", 5, 0.1, 60)
            self.assertEqual(str(caught.exception), "key is no number of seconds from 0.1 to 60")


class ReadPatternsTests(SynchronousTestCase):
    """`read_patterns`."""

    def test_patterns(self) -> None:
        """One or several, or none at all."""
        self.assertEqual(read_patterns({"key": "jobs-*"}, "key"), Patterns(["jobs-*"]))
        self.assertEqual(read_patterns({"key": "a-*+b-1"}, "key"), Patterns(["a-*", "b-1"]))
        self.assertIsNone(read_patterns({}, "key"))

    def test_refused(self) -> None:
        """What is none is refused, without what was given."""
        for text in ("s3cret!", "a-1 s3cret", "a-1++b-1", "a-1+"):
            with self.assertRaises(InvalidAuthArgumentString) as caught:
                read_patterns({"key": text}, "key")
            self.assertTrue(str(caught.exception).startswith("key: a group is neither a name"))
            self.assertNotIn("s3cret", str(caught.exception))


class ReadChoiceTests(SynchronousTestCase):
    """`read_choice`."""

    def test_words(self) -> None:
        """One of two, the first if none is given."""
        for arguments, word in (({}, "all"), ({"key": "all"}, "all"), ({"key": "some"}, "some")):
            self.assertEqual(read_choice(arguments, "key", "all", "some"), word)

    def test_refused(self) -> None:
        """Any other is refused, and not repeated."""
        for text in ("All", "s3cret", "all "):
            with self.assertRaises(InvalidAuthArgumentString) as caught:
                read_choice({"key": text}, "key", "all", "some")
            self.assertEqual(str(caught.exception), "key is neither all nor some")


class ReadCookieNameTests(SynchronousTestCase):
    """`read_cookie_name`."""

    def test_names(self) -> None:
        """What RFC 6265 allows, or none at all."""
        for name in ("sessionid", "__Host-a.b", "!#$%&'*+.^_`|~", "a" * 100):
            self.assertEqual(read_cookie_name({"key": name}, "key"), name)
        self.assertIsNone(read_cookie_name({}, "key"))

    def test_refused(self) -> None:
        """What would end a name, or could be no header, is refused and not repeated."""
        for name in ("s3cret=", "s3cret;", "s3cret a", "s3cr\xe9t", "s3cret\n", "a" * 101):
            with self.assertRaises(InvalidAuthArgumentString) as caught:
                read_cookie_name({"key": name}, "key")
            self.assertEqual(str(caught.exception), "key is not the name of a cookie")
