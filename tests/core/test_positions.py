"""`towerws.core.positions`."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.core.event import Event
from towerws.core.positions import (
    LocalPositions,
    Mark,
    Positions,
    StreamPositions,
    fingerprint,
)

_PROCESS = "0123456789abcdef"
_LARGEST = 2**63 - 1

#: What nobody's `format` ever gave.
_NONSENSE = (
    *(
        "",
        " ",
        "-",
        "--",
        "7",
        "-7",
        "7-",
        "x-7",
        f"{_PROCESS}-",
        f"{_PROCESS}-x",
        f"{_PROCESS}--7",
    ),
    *(f"{_PROCESS}-07", f"{_PROCESS}-7 ", f" {_PROCESS}-7", f"{_PROCESS}-7\n", f"{_PROCESS}-+7"),
    *(f"{_PROCESS}-7-1", f"{_PROCESS}-\u0667", f"{_PROCESS}-1_0", f"{_PROCESS}-{'9' * 20}"),
    *("7-", "7-0123", f"07-{_PROCESS}", f"7-{_PROCESS.upper()}", f"7-{_PROCESS}0", "7-\u0667" * 16),
    *(f"{'9' * 5000}-{_PROCESS}", f"{_PROCESS}-{'9' * 5000}", f"\u0667-{_PROCESS}", "\0", "\ud800"),
)


class LocalPositionsTests(SynchronousTestCase):
    """Positions that mean something to one process."""

    def setUp(self) -> None:
        """Begin to count."""
        self.positions = LocalPositions(_PROCESS)

    def test_text(self) -> None:
        """The process and the offset; before any event it is 0."""
        self.assertEqual(self.positions.origin, f"{_PROCESS}-0")
        self.assertEqual(self.positions.format(Event("jobs-summary", b"{}", 7)), f"{_PROCESS}-7")
        self.assertFalse(self.positions.is_shared)

    def test_parse(self) -> None:
        """What was given is read; what is of another process is nothing."""
        for offset in (0, 1, 7, _LARGEST):
            text = self.positions.format(Event("jobs-summary", b"{}", offset))
            self.assertEqual(self.positions.parse(text), Mark(offset, ""))
            self.assertIsNone(LocalPositions("f" * 16).parse(text))

    def test_nonsense(self) -> None:
        """Whatever a client sends, nothing is raised."""
        for text in _NONSENSE:
            self.assertIsNone(self.positions.parse(text), ascii(text)[:60])

    def test_next(self) -> None:
        """Offsets rise by one from 1; places in between are of the same row."""
        self.assertEqual([self.positions.next() for _ in range(3)], [1, 2, 3])
        self.assertEqual(self.positions.advance(3), 4)
        self.assertEqual(self.positions.next(), 5)

    def test_advance_is_behind(self) -> None:
        """A place is behind the last event and behind everything that has a number already."""
        self.assertEqual(self.positions.advance(9), 10)
        self.assertEqual(self.positions.next(), 11)
        self.assertEqual(self.positions.advance(3), 12)


class StreamPositionsTests(SynchronousTestCase):
    """Positions that mean the same to all servers of a stream."""

    def setUp(self) -> None:
        """Nothing to count."""
        self.positions = StreamPositions()

    def test_text(self) -> None:
        """The offset and the fingerprint of what is there, which never changes with a release."""
        event = Event("jobs-summary", b'{"id": 7}', 42)
        expected = blake2b(b'jobs-summary\0{"id": 7}', digest_size=8).hexdigest()
        self.assertEqual(self.positions.format(event), f"42-{expected}")
        self.assertEqual(expected, "a65b87272b8a6ef2")
        self.assertTrue(self.positions.is_shared)

    def test_parse(self) -> None:
        """What was given is read, by any server."""
        for offset in (0, 1, 7, _LARGEST):
            event = Event("jobs-summary", b"{}", offset)
            mark = StreamPositions().parse(self.positions.format(event))
            self.assertEqual(mark, Mark(offset, fingerprint(event)))

    def test_origin(self) -> None:
        """What is given before any event was read proves nothing, and is never resumed from."""
        self.assertEqual(self.positions.origin, "-")
        self.assertIsNone(self.positions.parse(self.positions.origin))

    def test_nonsense(self) -> None:
        """Whatever a client sends, nothing is raised."""
        for text in _NONSENSE:
            self.assertIsNone(self.positions.parse(text), ascii(text)[:60])

    def test_no_places(self) -> None:
        """A place is always an event's, since others have to find it too."""
        self.assertEqual(self.positions.advance(7), 7)

    def test_fingerprint(self) -> None:
        """Group and payload both count, and where the one ends; the offset does not."""
        event = Event("jobs-summary", b"{}", 1)
        for other in (
            Event("jobs-summarx", b"{}", 1),
            Event("jobs-summary", b"{ }", 1),
            Event("jobs-summary{", b"}", 1),
        ):
            self.assertNotEqual(fingerprint(other), fingerprint(event))
        self.assertEqual(fingerprint(event._replace(offset=2)), fingerprint(event))


class PropertyTests(SynchronousTestCase):
    """What holds for whatever a client sends."""

    @given(
        st.sampled_from([LocalPositions(_PROCESS), StreamPositions()]),
        st.one_of(
            st.text(CHARACTERS, max_size=50),
            st.from_regex(rf"{_PROCESS}-[0-9]*", fullmatch=True),
            st.from_regex(r"[0-9]{1,30}-[0-9a-f]{15,17}", fullmatch=True),
        ),
    )
    @PROPERTY
    def test_one_text(self, positions: Positions, text: str) -> None:
        """A position has one text only: what is read is what was written."""
        mark = positions.parse(text)
        if mark is not None:
            shared, local = f"{mark.offset}-{mark.fingerprint}", f"{_PROCESS}-{mark.offset}"
            self.assertEqual(text, shared if positions.is_shared else local)
