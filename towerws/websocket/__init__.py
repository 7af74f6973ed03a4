"""One client's websocket, from the first byte to the last: Autobahn's, and what it lacks."""
