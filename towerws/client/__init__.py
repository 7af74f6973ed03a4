"""A client for Python on Twisted: hears the events of groups, and misses none.

It connects, comes back when the connection is lost, and goes on where it was::

    import sys

    from twisted.internet import task
    from twisted.internet.defer import Deferred

    from towerws.client import Event, Listener, Subscription, Target


    class Jobs:
        def joined(self, groups):
            print("hearing", *groups)

        def event(self, event: Event):
            print(event.group, event.value["status"])

        def gap(self, why):
            print("fetch the jobs anew:", why)

        def notice(self, sentence):
            print(sentence, file=sys.stderr)


    def main(reactor):
        target = Target.parse("ws://127.0.0.1:8051/websocket/")
        listener = Listener(reactor, target, Subscription(["jobs-status_changed"]), Jobs())
        return Deferred.fromCoroutine(listener.run())


    task.react(main)

docs/clients.md tells more.
"""

from towerws.client.audience import Audience
from towerws.client.conversation import Refused, Unknown
from towerws.client.happenings import Event
from towerws.client.listener import Listener
from towerws.client.subscription import Subscription
from towerws.client.target import Target

__all__ = ["Audience", "Event", "Listener", "Refused", "Subscription", "Target", "Unknown"]
