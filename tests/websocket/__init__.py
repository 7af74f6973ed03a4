"""Tests of `towerws.websocket.protocol`."""
