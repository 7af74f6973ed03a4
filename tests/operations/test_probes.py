"""`towerws.operations.probes`: health, readiness, metrics, and what is not there."""

import re

from twisted.internet.defer import Deferred

from tests.hubs import make_hub
from tests.operations.case import EXPOSITION, Response, SiteCase


class ProbeTests(SiteCase):
    """``/health``, ``/ready`` and what is not there."""

    def test_health(self) -> None:
        """The process answers, ready or not."""
        self.emitter.reason = "not connected to the broker yet"
        response = self.request("GET", "/health")
        self.assertEqual((response.status, response.json), (200, {"healthy": True}))

    def test_ready(self) -> None:
        """200 when events flow."""
        response = self.request("GET", "/ready")
        self.assertEqual((response.status, response.json), (200, {"ready": True}))

    def test_not_ready(self) -> None:
        """503 and the reason when they do not."""
        self.emitter.reason = "not connected to the broker yet"
        response = self.request("GET", "/ready")
        self.assertEqual(
            (response.status, response.json),
            (503, {"ready": False, "reason": "not connected to the broker yet"}),
        )

    def test_head(self) -> None:
        """HEAD is answered as GET, without the body."""
        for path in ("/health", "/ready", "/metrics"):
            response = self.request("HEAD", path)
            self.assertEqual((response.status, response.body), (200, b""), path)

    def test_other_methods(self) -> None:
        """Nothing can be changed here."""
        for path in ("/health", "/ready", "/metrics"):
            response = self.request("POST", path, b"{}")
            self.assertEqual((response.status, response.headers["allow"]), (405, "GET"))
            self.assertEqual(response.json, {"error": "Only GET is allowed here."})

    def test_not_found(self) -> None:
        """Elsewhere is told what there is."""
        for path in ("/", "/nothing", "/emits/jobs-1", "/websocket/"):
            for method in ("GET", "POST"):
                response = self.request(method, path)
                self.assertEqual(response.status, 404, path)
                self.assertIn("POST /emit/<group>", response.json["error"])

    def test_no_traceback(self) -> None:
        """A fault in a resource shows nothing of the program."""
        self.patch(self.emitter, "unready", lambda: 1 / 0)
        response = self.request("GET", "/ready")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(response.status, 500)
        self.assertNotIn(b"ZeroDivisionError", response.body)


class MetricsTests(SiteCase):
    """``/metrics``."""

    def test_format(self) -> None:
        """The page is what Prometheus parses, with every kind of metric of the server."""
        make_hub(self.metrics)
        self.metrics.gauge("towerws_something", "A float.", lambda: 0.5)
        response = self.request("GET", "/metrics")
        self.assertEqual(
            response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8"
        )
        self.assertIsNotNone(EXPOSITION.fullmatch(response.body.decode()))
        self.assertIn(b'towerws_emits_total{result="accepted"} 0\n', response.body)

    def test_one_family_once(self) -> None:
        """No metric is announced twice, which Prometheus would refuse."""
        self.emit()
        page = self.request("GET", "/metrics").body.decode()
        types = re.findall(r"# TYPE (\S+)", page)
        self.assertEqual(len(types), len(set(types)))

    def test_page_of_others(self) -> None:
        """Where more is to be shown, the page is asked for, and waited for."""
        page: Deferred[str] = Deferred()

        async def render() -> str:
            return await page

        self.site.resource.children[b"metrics"]._render = render
        transport = self.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(transport.value(), b"")
        page.callback("x 1\n")
        response = Response(transport.value())
        self.assertEqual((response.status, response.body), (200, b"x 1\n"))

    def test_fault(self) -> None:
        """A fault of ours is answered, and logged; nothing of its text leaves."""
        self.metrics.gauge("towerws_something", "A fault.", lambda: 1 / 0)
        response = self.request("GET", "/metrics")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(response.status, 500)
        self.assertEqual(response.json, {"error": "A fault of the server; see its log."})
