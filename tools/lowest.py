"""Prints the lower bounds of setup.cfg's install_requires as exact versions, for pip's `-c`.

The bounds in setup.cfg are a promise; `make unit-lowest` keeps it honest by installing just them.
"""

import configparser
import re
import sys
from pathlib import Path

_SETUP_CFG = Path(__file__).resolve().parent.parent / "setup.cfg"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*(?P<bound>[0-9.]+)")


def constraints(setup_cfg: str) -> list[str]:
    """Turn lower bounds into exact versions.

    Args:
        setup_cfg: Text of a setup.cfg.

    Returns:
        `name==version` for each line of `install_requires`.

    Raises:
        ValueError: A requirement has no lower bound.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(setup_cfg)
    found = []
    for line in parser["options"]["install_requires"].strip().splitlines():
        match = _REQUIREMENT.match(line.strip())
        if match is None:
            raise ValueError(f"no lower bound in install_requires: {line.strip()!r}")
        found.append(f"{match['name']}=={match['bound']}")
    return found


def main() -> int:
    """Print the constraints of this checkout, one a line.

    Returns:
        The exit status, 0.
    """
    print(*constraints(_SETUP_CFG.read_text(encoding="utf-8")), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
