"""The script that makes the shipped recording."""

from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from tools.make_recording import record, write


class MakeRecordingTests(SynchronousTestCase):
    """The file is what the script writes, on every machine."""

    def test_same_bytes(self) -> None:
        """Making the recording again changes nothing; otherwise run the script, as it says."""
        made = "".join(write(record())).encode()
        kept = files("towerws").joinpath("data", "playbook-run.jsonl").read_bytes()
        self.assertEqual(made, kept)
