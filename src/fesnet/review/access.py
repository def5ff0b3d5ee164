"""Access control: only pages of this server, opened with its token, on this machine.

- The printed address holds a random token. The page gets it as a cookie that scripts cannot read
  and that pages of other sites do not send (`HttpOnly`, `SameSite=Strict`). A browser that fesnet
  opens gets a one-time key instead, as other users of the machine can read its command line.
- Cookies do not know ports: a browser would send it to every server of this machine. It is bound to
  a random path, below which this server answers too, and which no other server knows.
- `Host` must be this server's own address. This stops DNS rebinding: a foreign name that points to
  this machine.
- A request that changes something must come from this server's own page (`Origin`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = ("GET", "HEAD")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass
class AccessControl:
    """Wraps the application; answers refused requests with 403 and one line."""

    app: ASGIApp
    token: str
    one_time_keys: set[str] = field(default_factory=set, repr=False)
    prefix: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(16)}", repr=False)

    def new_key(self) -> str:
        """A new key that opens the page once."""
        key = secrets.token_urlsafe(32)
        self.one_time_keys.add(key)
        return key

    @property
    def cookie(self) -> str:
        """Name of the cookie; one for each server, as cookies do not distinguish ports."""
        return f"fesnet-{hashlib.sha256(self.token.encode()).hexdigest()[:12]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        scope = self.below_prefix(scope)
        opened_by_url = self.opened_by_url(scope)
        refused = self.refusal_reason(scope, opened_by_url)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if refused is None and opened_by_url:
                    headers.append(
                        "set-cookie",
                        f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; "
                        f"Path={self.prefix}/",
                    )
            await send(message)

        app = self.app if refused is None else PlainTextResponse(f"{refused}\n", 403)
        await app(scope, receive, send_with_headers)

    def below_prefix(self, scope: Scope) -> Scope:
        """The request without the prefix."""
        path = str(scope["path"])
        if not path.startswith(f"{self.prefix}/"):
            return scope
        raw = scope.get("raw_path") or path.encode()
        length = len(self.prefix)
        return {**scope, "path": path[length:], "raw_path": raw[length:]}

    def refusal_reason(self, scope: Scope, opened_by_url: bool) -> str | None:
        """Why the request is refused, or None. opened_by_url: whether its URL holds the secret."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in own_hosts(scope):
            return (
                f"expected this machine's own address as host, got {host!r}: open the address that "
                "was printed"
            )
        if scope["method"] not in SAFE_METHODS and headers.get("origin") != f"http://{host}":
            origin = headers.get("origin")
            return f"expected a change from this server's own page, got one from {origin!r}"
        if not opened_by_url and not any(
            self.is_token(value) for value in self.cookie_tokens(headers)
        ):
            return (
                "expected the token of this server, got none or another: open the address that "
                "`fesnet review` printed"
            )
        return None

    def cookie_tokens(self, headers: Headers) -> Iterator[str]:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return
        if found is not None:
            yield found.value

    def is_token(self, value: str) -> bool:
        return secrets.compare_digest(value.encode(), self.token.encode())

    def opened_by_url(self, scope: Scope) -> bool:
        """Whether the URL holds the token or an unused key; uses the key up.

        Both count only for the page itself, so that no other URL holds them.
        """
        if scope["path"] != "/" or scope["method"] not in SAFE_METHODS:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1"))
        used = self.one_time_keys.intersection(given.get("key", []))
        self.one_time_keys -= used
        return bool(used) or any(self.is_token(value) for value in given.get("token", []))


def own_hosts(scope: Scope) -> tuple[str, ...]:
    port = (scope.get("server") or ("", 0))[1]
    return f"127.0.0.1:{port}", f"localhost:{port}"
