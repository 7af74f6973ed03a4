"""towerws: a websocket event server that hands events from a message broker to browsers.

The package is laid out in layers whose imports only point down: composition (`towerws.tap`,
`towerws.cli`), shells (websocket, AMQP, HTTP, publisher) and a core that knows no I/O.
"""

__version__ = "0.1.0"
