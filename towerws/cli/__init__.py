"""The commands: `towerws emit`, `listen`, `replay` and `demo`, one module each."""
