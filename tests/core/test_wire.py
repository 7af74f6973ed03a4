"""Tests of the clients' wire protocol: frames read, and frames built."""

import json

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.core import wire
from towerws.core.groups import Group, GroupError, TooManyGroups, expand, is_group_name
from towerws.core.wire import CloseCode, FrameError, Request, parse

#: JSON as text, so that it may hold what Python's own writer would not write.
_SCALARS = st.sampled_from(
    (
        *("null", "true", "NaN", "-Infinity", "1e999", "0.5", "42", "-0", "1" * 5000),
        *('"42"', r'"\ud800"', r'"\u0000"', '"$x"', '""'),
    )
)
_KEYS = st.sampled_from(('"groups"', '"xrftoken"', '"jobs"', '"$"', r'"\ud800"'))


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds("{}:{}".format, _KEYS, inner)
    return st.builds("[{}]".format, st.lists(inner, max_size=3).map(",".join)) | st.builds(
        "{{{}}}".format, st.lists(members, max_size=3).map(",".join)
    )


_JSON = st.recursive(_SCALARS, _containers, max_leaves=8)


class ParseTests(SynchronousTestCase):
    """`parse` reads a client's frame."""

    def assert_refused(self, payload: bytes, expected: str, *, is_binary: bool = False) -> None:
        """Expect that a frame is not understood."""
        error = self.assertRaises(FrameError, parse, payload, is_binary=is_binary)
        self.assertEqual(str(error), expected)

    def test_request(self) -> None:
        """protocol.md, profile awx, row "client": groups and token."""
        payload = (
            b'{"groups": {"jobs": ["status_changed", "summary"], "job_events": [42]},'
            b' "xrftoken": "abc"}'
        )
        self.assertEqual(
            parse(payload, is_binary=False),
            Request(
                (
                    Group("jobs", "status_changed"),
                    Group("jobs", "summary"),
                    Group("job_events", "42"),
                ),
                "abc",
            ),
        )

    def test_leaves_all(self) -> None:
        """protocol.md, profile awx: ``{"groups": {}}`` asks for nothing, which is not silence."""
        self.assertEqual(parse(b'{"groups": {}}', is_binary=False), Request((), None))

    def test_too_many_groups(self) -> None:
        """A frame that names more than may be is told from one that is not understood."""
        payload = b'{"groups": {"a": [1, 2]}}'
        self.assertIsNotNone(parse(payload, is_binary=False, max_groups=2).groups)
        self.assertRaises(TooManyGroups, parse, payload, is_binary=False, max_groups=1)

    def test_without_groups(self) -> None:
        """protocol.md, profile awx: a frame without ``groups`` is understood, and says nothing."""
        self.assertEqual(parse(b"{}", is_binary=False), Request(None, None))
        self.assertEqual(
            parse(b'{"Groups": 1, "xrftoken": [1]}', is_binary=False), Request(None, [1])
        )

    def test_other_keys(self) -> None:
        """What a later version might send beside is passed over."""
        payload = b'{"since": "p", "groups": {"jobs": [1]}, "x": {"groups": 1}}'
        self.assertEqual(parse(payload, is_binary=False), Request((Group("jobs", "1"),), None, "p"))

    def test_doubled_keys(self) -> None:
        """Of doubled keys the last one counts, as in every common JSON reader."""
        payload = b'{"groups": 1, "xrftoken": 1, "groups": {"a": [1], "a": [2]}, "xrftoken": 2}'
        self.assertEqual(parse(payload, is_binary=False), Request((Group("a", "2"),), 2))

    def test_binary(self) -> None:
        """protocol.md, profile awx: a binary frame is not understood, whatever is in it."""
        self.assert_refused(
            b'{"groups": {}}', "binary frames are not understood: send JSON as text", is_binary=True
        )

    def test_not_json(self) -> None:
        """protocol.md, profile awx: a frame that is not JSON is not understood."""
        for payload in (
            b"",
            b"groups",
            b"{",
            b"{'groups': {}}",
            b'{"groups": {}} {}',
            b'{"groups": {}}\0',
            b'{"a": "\0"}',
            b"\xff",
            b"\xef\xbb\xbf{}",
            b'{"a": "\xed\xa0\x80"}',
            b'{"a": ' + b"1" * 5000 + b"}",
            "{}".encode("utf-16"),
        ):
            self.assert_refused(payload, "the frame is not JSON")

    def test_not_an_object(self) -> None:
        """protocol.md, profile awx: a frame that is no object is not understood."""
        for payload in (b"[]", b"null", b'"groups"', b"42", b"NaN", b"true", b'[{"groups": {}}]'):
            self.assert_refused(payload, "the frame is not a JSON object")

    def test_deep(self) -> None:
        """Nesting that Python's reader cannot follow is an answer, not a fault."""
        for payload in (b"[" * 100_000, b'{"groups":' * 100_000, b'{"a":' + b"[" * 60_000):
            self.assert_refused(payload, "the frame is nested too deeply")

    def test_bad_groups(self) -> None:
        """protocol.md, profile awx: what is wrong with ``groups`` is told in the same words."""
        surrogates = {"\ud800": ["\ud800"]}
        examples: tuple[object, ...] = (None, [], {"a": 1}, {"a": [True]}, {"a": ["*"]}, surrogates)
        for groups in examples:
            expected = self.assertRaises(GroupError, expand, groups)
            self.assert_refused(json.dumps({"groups": groups}).encode(), str(expected))

    @given(
        st.binary()
        | _JSON.map(str.encode)
        | st.builds('{{"groups":{}}}'.format, _JSON).map(str.encode)
    )
    @example(b'{"groups": {"\xf0\x9f\x98\x80": ["\\udc00"]}}')
    @PROPERTY
    def test_any_bytes(self, payload: bytes) -> None:
        """Whatever comes is a request for groups that can be, or an answer that can be sent."""
        try:
            request = parse(payload, is_binary=False)
        except FrameError as error:
            self.assertEqual(json.loads(wire.error(str(error))), {"error": str(error)})
        else:
            self.assertTrue(all(is_group_name(group.name) for group in request.groups or ()))


class BuildTests(SynchronousTestCase):
    """The server's frames are exactly these, for clients that compare text."""

    def test_accept(self) -> None:
        """protocol.md, profile awx, row "server, first frame"."""
        self.assertEqual(wire.accept(1), b'{"accept": true, "user": 1}')
        self.assertEqual(wire.accept("alice"), b'{"accept": true, "user": "alice"}')
        self.assertEqual(wire.accept(None), b'{"accept": true, "user": null}')

    def test_refuse(self) -> None:
        """protocol.md, profile awx, row "server, not authenticated"."""
        self.assertEqual(wire.refuse(), b'{"close": true}')

    def test_error(self) -> None:
        r"""A sentence may hold anything, lone surrogates included, and the frame is ASCII."""
        self.assertEqual(wire.error("no"), b'{"error": "no"}')
        self.assertEqual(wire.error('"ä\ud800\n'), rb'{"error": "\"\u00e4\ud800\n"}')

    def test_access_denied(self) -> None:
        """protocol.md, profile awx: the answer to a wrong ``xrftoken``."""
        self.assertEqual(wire.error(wire.ACCESS_DENIED), b'{"error": "access denied to channel"}')

    def test_object_denied(self) -> None:
        """protocol.md, profile awx, row "server, refused object"."""
        self.assertEqual(
            wire.object_denied(Group("job_events", "42")),
            b'{"error": "access denied to channel job_events for resource id 42"}',
        )

    def test_subscribed(self) -> None:
        """protocol.md, profile awx, row "server, result": each list is sorted."""
        self.assertEqual(
            wire.subscribed({"c", "a", "b", "d"}, frozenset("yzx"), ["b", "d", "a", "c"]),
            b'{"groups_current": ["a", "b", "c", "d"], "groups_left": ["x", "y", "z"],'
            b' "groups_joined": ["a", "b", "c", "d"]}',
        )
        self.assertEqual(
            wire.subscribed((), (), ()),
            b'{"groups_current": [], "groups_left": [], "groups_joined": []}',
        )


class CloseCodeTests(SynchronousTestCase):
    """Close codes are those of RFC 6455 and of the IANA registry."""

    def test_codes(self) -> None:
        """protocol.md, close codes."""
        self.assertEqual(
            {code.name: code.value for code in CloseCode},
            {
                "NORMAL": 1000,
                "POLICY": 1008,
                "INTERNAL_ERROR": 1011,
                "SERVICE_RESTART": 1012,
                "TRY_AGAIN_LATER": 1013,
                "EXPIRED": 4401,
            },
        )
