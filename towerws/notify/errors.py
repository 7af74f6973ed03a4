"""Why an event was not sent."""


class EmitError(Exception):
    """An event was not sent: the text is one sentence, without the event's content."""


class PayloadError(EmitError):
    """The payload is not a dictionary that can be written as JSON."""


class GroupNameError(EmitError):
    """The group's name is none."""


class Refused(EmitError):
    """The server or the broker was reached, and said no."""


class Busy(EmitError):
    """Other threads of the process were publishing, and left no time for the event."""


class Unreachable(EmitError):
    """The server or the broker was not reached, or did not confirm the event in time.

    In the latter case the event may have been published all the same.
    """


class ConnectionLost(Unreachable):
    """The connection turned out to be gone; a new one may work."""


class Unconfirmed(Unreachable):
    """The event was sent, but not confirmed in time: whether it was published is not known.

    The connection can be used further.
    """
