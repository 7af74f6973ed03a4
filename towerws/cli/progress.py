"""One line of a terminal that tells how far a command is."""

from typing import TextIO


class ProgressLine:
    """Written over and over; nothing is written where no terminal reads."""

    def __init__(self, stream: TextIO) -> None:
        """Show nothing yet.

        Args:
            stream: Where to, such as standard error.
        """
        self._stream = stream if stream.isatty() else None
        self._width = 0

    def __bool__(self) -> bool:
        """Tell whether somebody sees it."""
        return self._stream is not None

    def show(self, text: str) -> None:
        """Replace what the line says.

        Args:
            text: Printable, and shorter than a line of the terminal.
        """
        if self._stream is not None:
            self._stream.write("\r" + text.ljust(self._width))
            self._stream.flush()
            self._width = len(text)

    def end(self) -> None:
        """Leave the line as it is, for what is printed next."""
        if self._stream is not None and self._width:
            self._stream.write("\n")
            self._stream.flush()
            self._width = 0


def bar(part: float, width: int = 24) -> str:
    """Draw a progress bar.

    Args:
        part: From 0, nothing, to 1, all; what is outside counts as one of them.
        width: Columns between the brackets.

    Returns:
        Such as ``[#####...]``.
    """
    filled = round(min(max(part, 0.0), 1.0) * width)
    return f"[{'#' * filled}{'.' * (width - filled)}]"
