"""Names the `towerws` server for `twistd` and `twist`; imports nothing of towerws itself.

Twisted imports every plugin file to list the plugins, so this one stays free of the application.
"""

from twisted.application.service import ServiceMaker

towerws = ServiceMaker("towerws", "towerws.tap", "A websocket event server.", "towerws")
