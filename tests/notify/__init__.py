"""Tests of `towerws.notify`."""
