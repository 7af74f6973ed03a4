"""Scripts that use the JavaScript client, in Chromium and in Node, and what they may have done."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import towerws
from tests.console.node import node, output_of
from tests.integration.browser import Page
from tests.integration.case import ServerCase

#: The client, as it is installed.
CLIENT = Path(towerws.__file__).parent / "console" / "towerws.js"

#: Seconds for a script in Node, which takes one or two.
_PATIENCE = 40.0

#: What scripts have: `TowerWS`; `url` of the server; `act(name, argument)`, to have something done
#: by the test; `open(options)`, a client that notes all it dispatches in `seen` and its websockets
#: in `sockets`; `until(condition)`. Random delays are their longest.
_PRELUDE = """
const {{ TowerWS }} = await import("{module}");
const url = "{url}";
const act = async (name, argument = null) => (await fetch(
    "{origin}/" + name, {{method: "POST", body: JSON.stringify(argument)}})).json();
Math.random = () => 1;
const open = (options, seen = [], sockets = []) => {{
    class Noted extends WebSocket {{
        constructor(...args) {{ super(...args); sockets.push(this); }}
    }}
    const client = new TowerWS(url, {{WebSocket: Noted, minDelay: 200, ...options}});
    for (const type of ["event", "gap", "state", "error"])
        client.addEventListener(type, ({{detail}}) => seen.push({{type, ...detail}}));
    return {{client, seen, sockets}};
}};
const until = async (condition) => {{
    for (let left = 1000; left && !condition(); left -= 1)
        await new Promise(resolve => setTimeout(resolve, 10));
    if (!condition()) throw new Error(`not in time: ${{condition}}`);
}};
"""


class ScriptCase(ServerCase):
    """A test with a server, and a script that uses it by the JavaScript client.

    Scripts are bodies of asynchronous functions; what they return, as JSON has it, is the result.
    They may have done, besides what a test adds to `actions`: ``act("emit", [group, payload])``.
    """

    def setUp(self) -> None:
        """Listen for what scripts want to have done."""
        self.actions: dict[str, Callable[[Any], object]] = {
            "/emit": lambda posted: self._emit(*posted)
        }
        self.page = Page({"/towerws.js": CLIENT}, self.actions)
        self.addCleanup(self.page.close)

    def serve(self, *options: str) -> None:
        """Start the server."""
        self.server = self.start_server(f"--origin={self.page.origin}", *options)

    def run_in_chromium(self, script: str) -> Any:
        """Run a script in a page.

        Args:
            script: The script.

        Returns:
            Its result.
        """
        return self.page.run(self._prelude("/towerws.js") + _catching(script))

    def run_in_node(self, script: str, *options: str, major: int | None = None) -> Any:
        """Run a script in Node, which is to end by itself.

        Args:
            script: The script.
            *options: More options of Node.
            major: Node's version; the newest that is here if None.

        Returns:
            The script's result.
        """
        whole = self._prelude(CLIENT.as_uri()) + (
            f"const result = await (async () => {{ {_catching(script)} }})();\n"
            "console.log(JSON.stringify(result));\n"
        )
        program = node() if major is None else node(major)
        command = [program, *options, "--no-warnings", "--input-type=module", "--eval", whole]
        return json.loads(output_of(self, command, _PATIENCE))

    def _prelude(self, module: str) -> str:
        return _PRELUDE.format(
            module=module, url=self.server.websocket_url, origin=self.page.origin
        )

    def _emit(self, group: str, payload: object) -> int:
        return self.server.emit(group, json.dumps(payload).encode())[0]


def _catching(script: str) -> str:
    """Let a script return what it throws, which the test shows then."""
    return f"try {{ {script} }} catch (error) {{ return String(error.stack); }}"
