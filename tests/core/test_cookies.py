"""`towerws.core.cookies`: the ``Cookie`` header, with Django's parser as the oracle."""

from django.http.cookie import parse_cookie
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.core.cookies import parse_cookies

#: What cookies are made of, often; and everything else, now and then.
_HEADERS = st.text(st.sampled_from('ab=; ,"\\0123789\t\n\r\x00é\xa0') | CHARACTERS, max_size=40)


class ParseCookiesTests(SynchronousTestCase):
    """`parse_cookies`."""

    def test_plain(self) -> None:
        """Cookies are told apart at semicolons; a value may have an equals sign."""
        self.assertEqual(parse_cookies("a=1; b=2;c=3=4"), {"a": "1", "b": "2", "c": "3=4"})

    def test_nothing(self) -> None:
        """No header and empty pieces are no cookies."""
        for header in ("", " ", ";", " ; ;", "=", " = "):
            self.assertEqual(parse_cookies(header), {}, header)

    def test_quoted(self) -> None:
        """Quotes come off, as awxkit sends its session, and escapes are taken out."""
        for value, expected in (
            ('"abc"', "abc"),
            ('""', ""),
            (r'"a\"b\\c"', r'a"b\c'),
            (r'"\054\073"', ",;"),
            (r'"\101\4\400"', "A4400"),
            (r'"a\"', "a\\"),
            ('"', '"'),
            ('"abc', '"abc'),
            ('abc"', 'abc"'),
            (r"\101", r"\101"),
        ):
            self.assertEqual(parse_cookies(f"awx_sessionid={value}"), {"awx_sessionid": expected})

    def test_semicolon_in_quotes(self) -> None:
        """A semicolon separates even there, in Django as here."""
        self.assertEqual(parse_cookies('a="1;2"; b=3'), {"a": '"1', "": '2"', "b": "3"})

    def test_repeated(self) -> None:
        """The last one of a name counts; names differ by case."""
        self.assertEqual(parse_cookies("a=1; A=2; a=3"), {"a": "3", "A": "2"})

    def test_without_a_name(self) -> None:
        """A value alone has the empty name, an empty value has its own."""
        self.assertEqual(parse_cookies("abc; a="), {"": "abc", "a": ""})

    def test_odd_neighbours(self) -> None:
        """Another application's odd cookie takes none of ours away."""
        header = 'prefs={"a": [1, 2]}; b[c]=d/e; sessionid=abc; ü=ä'
        self.assertEqual(parse_cookies(header)["sessionid"], "abc")

    @given(_HEADERS)
    @example('a="\\\n"')
    @PROPERTY
    def test_as_django(self, header: str) -> None:
        """Whatever the header is, it is read as Django reads it."""
        self.assertEqual(parse_cookies(header), parse_cookie(header))
