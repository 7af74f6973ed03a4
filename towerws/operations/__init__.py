"""The operators' HTTP site: emit, revoke, health, readiness, metrics.

It stands on an endpoint of its own, so that clients never reach it; on the loopback interface by
default.

- ``POST /emit/<group>``: publish the body, a JSON object; 202 with what became of it.
- ``POST /revoke``: take access away from the user in the body, ``{"user": "7"}``, or one group,
  ``{"user": "7", "group": "job_events-42"}``; 202 with what became of it.
- ``GET /health``: 200 while the process works.
- ``GET /ready``: 200 if events can flow, 503 and the reason otherwise.
- ``GET /metrics``: counters and gauges in the Prometheus text format.

Whatever is refused is answered with a JSON object ``{"error": "<one sentence>"}``.
"""
