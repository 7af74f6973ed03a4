"""Tests of `towerws.operations`."""
