"""Tests of `towerws.auth.awx`."""
