"""A server whose queue gets every event, though nobody listens.

It runs a command line of ``twistd``, with the node's queue bound by ``#``. A node binds what its
clients want, so that otherwise events which nobody hears come only in the moment after the last
listener of a group has left.
"""

from twisted.scripts.twistd import run

from towerws import tap
from towerws.amqp_bridge import AMQPBridge


class _UnheardBridge(AMQPBridge):
    def startService(self) -> None:
        self.interest({"#"}, ())
        super().startService()


if __name__ == "__main__":
    tap.AMQPBridge = _UnheardBridge  # type: ignore[attr-defined]
    run()
