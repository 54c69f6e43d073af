"""What Prometheus asks for: requests, predictions and the line before them, without a name of anybody."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("sonoseg_requests", "Requests by route and status", labels, registry=self.registry)
        self._latency = Histogram(
            "sonoseg_request_seconds", "Time to an answer", ("route",), registry=self.registry, buckets=_SECONDS
        )
        self._predictions = Histogram(
            "sonoseg_prediction_seconds", "Time of a prediction", registry=self.registry, buckets=_SECONDS
        )
        self._length = Gauge("sonoseg_queue_length", "Work that runs or waits", registry=self.registry)

    def watch(self, length: Callable[[], float]) -> None:
        """Ask ``length`` for what runs or waits."""
        self._length.set_function(length)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. route: its pattern, never the address itself."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def predicted(self, seconds: float) -> None:
        """Count a prediction."""
        self._predictions.observe(seconds)

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry)


class Counted:
    """ASGI middleware: counts every request by the pattern of its route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def sender(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, sender)
        finally:
            route = getattr(scope.get("route"), "path", "elsewhere")
            scope["app"].state.desk.metrics.answered(scope["method"], route, status, time.perf_counter() - start)
