"""How a command ends when it could not do what it was asked."""

#: Exit status after Ctrl-C, as shells have it: 128 + SIGINT.
INTERRUPTED = 130

#: Exit status when nobody reads standard output any more, as of programs that SIGPIPE kills.
UNREAD = 141


class CommandError(Exception):
    """A command ends here: the text is one sentence for whoever typed it, the exit status is 1."""
