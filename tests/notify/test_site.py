"""Tests of `towerws.notify.site`: the URLs of an operators' site."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.notify.site import Site


class SiteTests(SynchronousTestCase):
    """The URLs of an operators' site."""

    def test_http(self) -> None:
        """Host, port and path, with HTTP's defaults."""
        self.assertEqual(Site.parse("http://127.0.0.1:8052"), Site("127.0.0.1", 8052))
        self.assertEqual(Site.parse("http://tower/"), Site("tower", 80))
        self.assertEqual(Site.parse("https://tower"), Site("tower", 443, tls=True))
        self.assertEqual(Site.parse("HTTP://Tower:81/ops/"), Site("tower", 81, "/ops"))
        self.assertEqual(Site.parse("http://[::1]:8052"), Site("::1", 8052))

    def test_unix(self) -> None:
        """Both ways to write a socket's path; only one of them leaves room for a path in HTTP."""
        expected = Site("localhost", 80, socket_path="/run/tower ws.sock")
        self.assertEqual(Site.parse("unix:///run/tower%20ws.sock"), expected)
        self.assertEqual(Site.parse("http+unix://%2Frun%2Ftower%20ws.sock"), expected)
        self.assertEqual(
            Site.parse("http+unix://%2Frun%2FT.sock/ops/"),
            Site("localhost", 80, "/ops", socket_path="/run/T.sock"),
        )

    def test_host_header(self) -> None:
        """The default port is left out, an IPv6 address has its brackets."""
        self.assertEqual(str(Site("tower", 443, tls=True)), "tower")
        self.assertEqual(str(Site("tower", 80, tls=True)), "tower:80")
        self.assertEqual(str(Site("::1", 8052)), "[::1]:8052")
        self.assertEqual(str(Site("localhost", 80, socket_path="/x")), "localhost")

    def test_refused(self) -> None:
        """A URL that cannot be gets a sentence, in which no part of it is repeated."""
        for url, sentence in (
            ("hunter2", "must begin with"),
            ("ftp://hunter2", "must begin with"),
            ("http://", "bad host or port"),
            ("http:///hunter2", "bad host or port"),
            ("http://host:hunter2", "bad host or port"),
            ("http://host:0", "bad host or port"),
            ("http://host:65536", "bad host or port"),
            ("http://[hunter2", "bad host or port"),
            ("http://user:hunter2@host", "TOWERWS_TOKEN"),
            ("http://host/?token=hunter2", "a ? or a #"),
            ("http://host/#hunter2", "a ? or a #"),
            ("http://host/a hunter2", "%-encoded"),
            ("http://host/hüter", "%-encoded"),
            ("unix://run/hunter2", "Unix socket"),
            ("unix:hunter2", "Unix socket"),
            ("http+unix://hunter2", "Unix socket"),
            ("http+unix://%2Fhunter2%00", "Unix socket"),
        ):
            error = self.assertRaises(ValueError, Site.parse, url)
            self.assertIn(sentence, str(error), url)
            self.assertNotIn("hunter2", str(error))
