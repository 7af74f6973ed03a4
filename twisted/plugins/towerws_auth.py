"""Names the authentication schemes of towerws for ``--auth``.

Apart from `towerws_plugin`, so that listing the servers loads nothing of towerws: Twisted loads
this file only for those who ask for authentication plugins.
"""

from towerws.auth.schemes import awx, jwt, session

__all__ = ["awx", "jwt", "session"]
