"""The core: what towerws is about, in plain Python.

Nothing here does I/O, reads a clock or imports Twisted: bytes and calls come in, bytes and calls go
out. Modules, from the leaves up: `metrics`, `groups`, `payload`, `broker_url`, `origin`, `throttle`
know nothing of each other; `wire` speaks the clients' protocol; `event` frames an event once for
all; `outbox` holds what one slow reader has not taken; `subscriptions` is the index both ways;
`interests` is what a source keeps of it; `hub` is the one way through; `session` is one client's
side of the protocol.
"""
