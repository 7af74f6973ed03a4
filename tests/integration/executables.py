"""Programs that integration tests need and a developer may not have."""

import os
import shutil
import unittest


def require_executable(name: str, directory: str = "") -> str:
    """Find a program, or let the test that needs it be skipped.

    Args:
        name: The file name, such as ``"rabbitmq-server"``.
        directory: Where to look before the directories of ``PATH``.

    Returns:
        Its path.

    Raises:
        unittest.SkipTest: It is not installed.
        RuntimeError: The same, in continuous integration (``CI=true``), where a test that does
            not run is a failure.
    """
    found = shutil.which(name, path=os.pathsep.join((directory, os.environ.get("PATH", ""))))
    if found is not None:
        return found
    reason = f"{name} is not installed"
    if os.environ.get("CI") == "true":
        raise RuntimeError(reason)
    raise unittest.SkipTest(reason)
