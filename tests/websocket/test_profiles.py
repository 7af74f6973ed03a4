"""`towerws.websocket.profiles`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, FakeClock
from tests.hubs import make_hub
from towerws.core.event import Variant
from towerws.core.metrics import Metrics
from towerws.core.profile import AWXProfile, Told
from towerws.core.profile_v1 import V1Profile
from towerws.core.replaying import ReplayCounters
from towerws.websocket.profiles import Profiles, choose, variant_of


class ChoiceTests(SynchronousTestCase):
    """What a client gets of what it offers."""

    def test_subprotocols(self) -> None:
        """The best of ours, whatever the order; browsers fail a connection that gets none."""
        for offered, chosen in (
            ([], None),
            (["mqtt", "bearer.x"], None),
            (["towerws.awx"], "towerws.awx"),
            (["bearer.x", "towerws.awx", "towerws.v1"], "towerws.v1"),
            (["towerws.v2", "towerws.v1"], "towerws.v1"),
            (["TOWERWS.V1"], None),
        ):
            self.assertEqual(choose(offered), chosen)

    def test_variants(self) -> None:
        """Profile and compression make four."""
        variants = [
            variant_of(subprotocol, compresses=compresses)
            for subprotocol in (None, "towerws.awx", "towerws.v1")
            for compresses in (False, True)
        ]
        awx = [Variant.PLAIN, Variant.DEFLATE]
        v1 = [Variant.ENVELOPED, Variant.ENVELOPED_DEFLATE]
        self.assertEqual(variants, [*awx, *awx, *v1])

    def test_speak(self) -> None:
        """The variant says which profile it is."""
        profiles = Profiles(make_hub(), ReplayCounters(Metrics()), 15, True, FakeClock())
        for variant in Variant:
            profile = profiles.speak(FakeClient(variant), Told(frozenset))
            expected = V1Profile if variant.is_enveloped else AWXProfile
            self.assertIsInstance(profile, expected)
