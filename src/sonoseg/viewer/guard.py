"""What stands before every request: who may ask, from where, and how much may come in; what every answer says."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sonoseg.viewer.settings import Settings, is_loopback

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Of every answer: nothing is loaded from elsewhere, shown elsewhere or kept by a browser."""

OPEN = ("/", "/favicon.ico", "/api/health")
"""Paths that need no token; the page asks for it. So does ``/static/``."""


class Guard:
    """ASGI middleware. Refuses strangers, and tells the others what a browser has to keep to."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = origin if origin in self.settings.origins else None

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                if allowed:
                    out.update(_shared(allowed))
            await send(message)

        if allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await answer(sender, 204, None)
        elif refusal := self._refusal(scope, headers):
            await answer(sender, *refusal)
        else:
            await self.app(scope, self._limited(receive), sender)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        if not self._is_ours(headers.get("host", "")):
            return 403, "this name is not one of this service's", "sonoseg serve --allow-host NAME"
        if not self._is_from_us(scope, headers):
            return 403, "another site's page may not use this service", "sonoseg serve --allow-origin https://SITE"
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self.settings.upload:
            return 413, self._too_large(), "give a smaller file, or start with a larger --max-upload"
        if self.settings.token and not self._is_open(scope["path"]) and not self._knows_token(headers):
            return 401, "a token is needed", "send the header Authorization: Bearer TOKEN"
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this service; a page that was rebound to it brings its own name."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.settings.hosts:
            return True
        if is_loopback(self.settings.host):
            return is_loopback(name)
        try:
            return bool(ip_address(name))
        except ValueError:
            return name == "localhost"

    def _is_from_us(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            return origin in self.settings.origins or urlsplit(origin).netloc == headers.get("host", "")
        opened = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        return opened or headers.get("sec-fetch-site", "none") in {"none", "same-origin"}

    @staticmethod
    def _is_open(path: str) -> bool:
        return path in OPEN or path.startswith("/static/")

    def _knows_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(given.encode(), (self.settings.token or "").encode())

    def _limited(self, receive: Receive) -> Receive:
        """Count what comes, and how long it takes; too much of either is a ``HTTPException`` where it is read."""
        loop, taken, done = asyncio.get_running_loop(), 0, False
        until = loop.time() + self.settings.seconds

        async def receiver() -> Message:
            nonlocal taken, done
            if done:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, f"it took over {self.settings.seconds:.0f} seconds to come") from error
            taken += len(message.get("body", b""))
            done = not message.get("more_body", False)
            if taken > self.settings.upload:
                raise HTTPException(413, self._too_large())
            return message

        return receiver

    def _too_large(self) -> str:
        return f"the request is too large; {self.settings.upload:,} bytes are allowed"


async def answer(send: Send, status: int, message: str | None, hint: str = "") -> None:
    """Send a refusal in the form that all errors have; nothing at all where the message is None."""
    body = b"" if message is None else json.dumps({"error": message, "hint": hint}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in {408, 413}:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers if body else []})
    await send({"type": "http.response.body", "body": body})


def _shared(origin: str) -> Mapping[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": "authorization, content-type, accept",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }
