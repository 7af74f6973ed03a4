"""Tests of `towerws.cli.bench`."""
