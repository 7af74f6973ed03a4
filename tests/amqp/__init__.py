"""Tests of `towerws.amqp`."""
