"""`towerws.reloading`: real files, a clock that the test moves, and real signals."""

import contextlib
import os
import pty
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from towerws.core.metrics import Metrics
from towerws.reloading import LOOK_EVERY, RETRY_AFTER, HangupSignal, Reloader, has_terminal


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


class ThreadlessReactor(MemoryReactorClock):
    """A reactor that keeps what it is called with from a signal, and counts its stops.

    Attributes:
        called: What is to be called.
        stops: How often it was stopped.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.called: list[Callable[[], None]] = []
        self.stops = 0

    def callFromThread(self, callable: Callable[[], None]) -> None:  # noqa: A002, N802  # Twisted's
        """Keep it."""
        self.called.append(callable)

    def stop(self) -> None:
        """Take note."""
        self.stops += 1


class HangupSignalTests(SynchronousTestCase):
    """SIGHUP of this process."""

    def setUp(self) -> None:
        """Put it back in the end."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self.reactor = ThreadlessReactor()
        self.terminal = False
        self.heard = 0

    def _hear(self) -> None:
        self.heard += 1

    def start(self) -> None:
        """Start the service, then the reactor."""
        HangupSignal(self.reactor, self._hear, lambda: self.terminal).startService()
        for function, arguments, named in self.reactor.whenRunningHooks:
            function(*arguments, **named)

    def hang_up(self) -> None:
        """Send the signal, and let the reactor do what it is called for."""
        os.kill(os.getpid(), signal.SIGHUP)
        for call in self.reactor.called:
            call()
        self.reactor.called.clear()

    def test_not_started(self) -> None:
        """Until the reactor runs nothing is changed."""
        before = signal.getsignal(signal.SIGHUP)
        HangupSignal(self.reactor, self._hear, has_terminal).startService()
        self.assertIs(signal.getsignal(signal.SIGHUP), before)

    def test_heard(self) -> None:
        """Each time it is passed on, in the reactor's turn."""
        self.start()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.heard, 0)
        self.hang_up()
        self.assertEqual(self.heard, 2)
        self.assertEqual(self.reactor.stops, 0)

    def test_terminal(self) -> None:
        """While the terminal is there it means the same; without it the server ends."""
        self.terminal = True
        self.start()
        self.hang_up()
        self.assertEqual((self.heard, self.reactor.stops), (1, 0))
        self.terminal = False
        self.hang_up()
        self.assertEqual((self.heard, self.reactor.stops), (1, 1))

    def test_nohup(self) -> None:
        """With nohup the server stays when the terminal is closed."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.terminal = True
        self.start()
        self.terminal = False
        self.hang_up()
        self.assertEqual((self.heard, self.reactor.stops), (1, 0))


class HasTerminalTests(SynchronousTestCase):
    """`has_terminal` asks the kernel."""

    def test_gone(self) -> None:
        """A process that leads a session has a terminal until the other end is closed."""
        pid, terminal = pty.fork()
        if pid == 0:
            _lose_terminal()
        self.assertEqual(os.read(terminal, 1), b"x")
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 12)

    def test_descriptors(self) -> None:
        """That there is no descriptor left says nothing."""

        def full(*_: object) -> int:
            raise OSError(24, "Too many open files")

        self.patch(os, "open", full)
        self.assertTrue(has_terminal())


def _lose_terminal() -> NoReturn:
    """Tell by the exit status of this process whether it has a terminal, before and after."""
    status = 0
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        status += 2 * has_terminal()
        os.write(1, b"x")
        # Until the terminal is closed there is nothing to read.
        with contextlib.suppress(OSError):
            os.read(0, 1)
        status += 10 + has_terminal()
    finally:
        os._exit(status)
