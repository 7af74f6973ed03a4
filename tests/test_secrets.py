"""What has a secret does not show it: `repr` and `str` get into logs and tracebacks."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

import towerws
from tests.operations.case import FakeEmitter
from towerws.amqp.client import Client
from towerws.auth.handshake import Handshake
from towerws.auth.jwt import arguments as jwt
from towerws.auth.portal import PortalAuthenticator
from towerws.auth.session import arguments as session
from towerws.auth.users import User
from towerws.core import wire
from towerws.core.broker_url import BrokerURL
from towerws.core.metrics import Metrics
from towerws.operations.site import OperationsSite
from towerws.options import Options

#: Names of fields that may hold a secret.
_TELLING = re.compile("pass|token|secret|cookie|auth|header|credential|protocol|bearer|key|csrf")

#: Those that hold none, or something that takes care of itself.
_HARMLESS = {
    "Delivery.routing_key",
    "KeySet.keys",
    "Settings.cookie",
    "Settings.keys",
    "TLSFiles.key",
    "Token.key_id",
    "Viewer.credentials",
}

_SECRET = "s3cret-s3cret-s3cret-s3cret-s3cret"


def _dataclasses() -> Iterator[type]:
    for module in pkgutil.walk_packages(towerws.__path__, "towerws."):
        if not module.name.endswith("__main__"):
            for _, found in inspect.getmembers(
                importlib.import_module(module.name), inspect.isclass
            ):
                if dataclasses.is_dataclass(found) and found.__module__ == module.name:
                    yield found


class ReprTests(SynchronousTestCase):
    """`repr` and `str`."""

    def test_fields(self) -> None:
        """No field of a dataclass that sounds like a secret is shown, but those that are none."""
        shown = {
            f"{found.__name__}.{field.name}"
            for found in _dataclasses()
            for field in dataclasses.fields(found)
            if field.repr
            and _TELLING.search(field.name)
            # Whoever writes one by hand thinks of it, as `test_objects` makes sure.
            and "BrokerURL" not in found.__name__
        }
        self.assertEqual(sorted(shown), sorted(_HARMLESS))

    def _objects(self) -> Iterator[object]:
        """Make one of everything that is given a secret."""
        url = BrokerURL.parse(f"amqp://guest:{_SECRET}@localhost/")
        environment = {
            "TOWERWS_TOKEN": _SECRET,
            "TOWERWS_BROKER": f"amqp://guest:{_SECRET}@localhost/",
        }
        options = Options(environment)
        options.parseOptions([])
        with tempfile.TemporaryDirectory(prefix="towerws-secrets-") as directory:
            key = Path(directory, "key")
            key.write_text(_SECRET)
            checker = jwt.make_checker(f"key={key}")
        yield from (url, options, options["broker"], checker, PortalAuthenticator([checker]))
        yield OperationsSite(FakeEmitter(), Metrics(), token=_SECRET, max_event=1)
        yield Client(url, clock=MemoryReactorClock(), on_deliveries=lambda _: None)
        yield session.make_checker("url=http://localhost/")
        yield wire.parse(b'{"groups": {}, "xrftoken": "%s"}' % _SECRET.encode(), is_binary=False)
        yield User(1, csrf_token=_SECRET)
        yield Handshake(
            "/websocket/", "192.0.2.1", {"cookie": _SECRET}, ("towerws.awx", f"bearer.{_SECRET}")
        )

    def test_objects(self) -> None:
        """Neither the objects nor what they are made of, one level down, show the secret."""
        for each in self._objects():
            parts = vars(each).values() if hasattr(each, "__dict__") else ()
            inner = [part for part in parts if not isinstance(part, (str, bytes, dict))]
            for text in (repr(each), str(each), f"{each}", *map(repr, inner)):
                self.assertNotIn(_SECRET, text, type(each).__name__)
