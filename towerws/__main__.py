"""Runs the commands as `python -m towerws`."""

import sys

from towerws.cli.main import main

sys.exit(main())
