"""`towerws.reloading`: real files, and a clock that the test moves."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from towerws.core.metrics import Metrics
from towerws.reloading import LOOK_EVERY, RETRY_AFTER, Reloader


class Noted:
    """Something that is read from files, and takes note of it.

    Attributes:
        files: The files.
        reads: How often it was told to read them.
        answer: What it says about it.
        error: What it raises, if anything.
    """

    def __init__(self, *files: Path) -> None:
        """Name the files."""
        self.files: Sequence[str] = [str(path) for path in files]
        self.reads = 0
        self.answer: bool | None = True
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def reload(self) -> bool | None:
        """Take note."""
        self.reads += 1
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return self.answer


class ReloaderCase(SynchronousTestCase):
    """A test with two files in a directory."""

    def setUp(self) -> None:
        """Write them."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path, self.other = self.directory / "key.pem", self.directory / "certificate.pem"
        self.path.write_text("1")
        self.other.write_text("1")
        self.noted = Noted(self.path, self.other)

    def watch(self, *more: Noted) -> Reloader:
        """Watch it."""
        reloader = Reloader(self.clock, [self.noted, *more], self.metrics)
        reloader.startService()
        self.addCleanup(reloader.stopService)
        return reloader

    def reads(self, seconds: float = LOOK_EVERY) -> int:
        """Tell how often it is read within a time."""
        before = self.noted.reads
        self.clock.advance(seconds)
        return self.noted.reads - before

    def counts(self) -> tuple[float, ...]:
        """Give the counters of what succeeded and what failed."""
        (family,) = (each for each in self.metrics.collect() if "reloads" in each.name)
        return tuple(value for _, value in family.samples)


class ReloaderTests(ReloaderCase):
    """Files that change."""

    def test_unchanged(self) -> None:
        """What does not change is not read, however often it is looked at."""
        self.watch()
        for _ in range(10):
            self.assertEqual(self.reads(), 0)
        self.assertEqual(self.counts(), (0, 0))

    def test_changed(self) -> None:
        """A file that is written is read at the next look, once; the first and the second alike."""
        self.watch()
        for path in (self.path, self.other):
            path.write_text("22")
            self.assertEqual(self.reads(LOOK_EVERY - 1), 0)
            self.assertEqual(self.reads(1), 1)
            self.assertEqual(self.reads(), 0)
        self.assertEqual(self.counts(), (2, 0))

    def test_same_size_and_time(self) -> None:
        """A copy that keeps size and time is seen as well."""
        self.watch()
        before = self.path.stat()
        self.path.write_text("2")
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.reads(), 1)

    def test_renamed(self) -> None:
        """Put into place by a rename, as careful programs do it."""
        self.watch()
        new = self.directory / "new"
        new.write_text("1")
        new.rename(self.path)
        self.assertEqual(self.reads(), 1)

    def test_symbolic_links(self) -> None:
        """What a link leads to counts: certbot replaces it, Kubernetes the one of the directory."""
        for number in (1, 2):
            (self.directory / f"archive{number}").mkdir()
            (self.directory / f"archive{number}" / "key.pem").write_text("x")
        data = self.directory / "..data"
        data.symlink_to("archive1")
        link = self.directory / "live.pem"
        link.symlink_to("..data/key.pem")
        self.noted = Noted(link)
        self.watch()
        self.assertEqual(self.reads(), 0)
        new = self.directory / "..new"
        new.symlink_to("archive2")
        new.rename(data)
        self.assertEqual(self.reads(), 1)
        link.unlink()
        link.symlink_to("archive1/key.pem")
        self.assertEqual(self.reads(), 1)

    def test_gone(self) -> None:
        """A file that vanishes is a change, and so is its return."""
        self.watch()
        self.path.unlink()
        self.assertEqual(self.reads(), 1)
        self.assertEqual(self.reads(), 0)
        self.path.write_text("1")
        self.assertEqual(self.reads(), 1)

    def test_failed(self) -> None:
        """What is of no use is read again when it changes, or after a minute; and is counted."""
        self.watch()
        self.noted.answer = False
        self.path.write_text("22")
        self.assertEqual(self.reads(), 1)
        self.other.write_text("22")
        self.assertEqual(self.reads(), 1)
        self.assertEqual(self.reads(RETRY_AFTER - 1), 0)
        self.assertEqual(self.reads(LOOK_EVERY), 1)
        self.assertEqual(self.counts(), (0, 3))
        self.noted.answer = True
        self.assertEqual(self.reads(RETRY_AFTER + LOOK_EVERY), 1)
        self.assertEqual(self.reads(10 * RETRY_AFTER), 0)
        self.assertEqual(self.counts(), (1, 3))

    def test_changed_meanwhile(self) -> None:
        """What changes while it is read is read again."""
        self.watch()
        self.noted.meanwhile = lambda: self.path.write_text("333")
        self.path.write_text("22")
        self.assertEqual(self.reads(), 1)
        self.noted.meanwhile = lambda: None
        self.assertEqual(self.reads(), 1)
        self.assertEqual(self.reads(), 0)

    def test_error(self) -> None:
        """A fault of one does not keep the others from being read."""
        second = Noted(self.path)
        self.watch(second)
        self.noted.error = ZeroDivisionError("s3cret")
        self.path.write_text("22")
        self.assertEqual(self.reads(), 1)
        self.assertEqual(second.reads, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.counts(), (1, 1))

    def test_no_files(self) -> None:
        """Nothing is looked at if there is nothing to look at."""
        Reloader(self.clock, [Noted()], self.metrics).startService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self) -> None:
        """When the service has stopped, nothing is read any more."""
        reloader = self.watch()
        reloader.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        reloader.reload_all()
        self.assertEqual(self.noted.reads, 0)

    def test_all(self) -> None:
        """All are read when that is asked for, changed or not, also what has no files."""
        bare = Noted()
        bare.answer = None
        reloader = self.watch(bare)
        with capturedLogs() as logs:
            reloader.reload_all()
        self.assertEqual((self.noted.reads, bare.reads), (1, 1))
        self.assertEqual(formatEvent(logs[0]), "all files are read anew")
        self.assertEqual(self.counts(), (1, 0))
        self.assertEqual(self.reads(), 0)
