"""Signed raw requests, for what the stock clients would never send; hubs of a test's own."""
import base64
import contextlib
import datetime
import email.utils
import hashlib
import hmac
import http.client
import pathlib
import socket
import urllib.parse

VERSION = "2021-12-02"


@contextlib.contextmanager
def own_hub(hub, folder: pathlib.Path, config: str):
    """A hub beside the one that all share, with this configuration; it must end well."""
    (folder / "hub.yaml").write_text(config)
    own = type(hub)(folder, folder / "hub.yaml").start()
    try:
        yield own
    finally:
        assert own.stop() == 0


def signed_headers(account, method: str, target: str, headers: dict, length: int) -> dict:
    """`headers` with date, version and a SharedKey signature of the request."""
    out = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": VERSION} | headers
    lower = {name.lower(): value for name, value in out.items()}
    path, _, query = target.partition("?")
    lines = [method] + [lower.get(name, "") for name in ("content-encoding", "content-language")]
    lines += [str(length) if length else "", lower.get("content-md5", ""), lower.get("content-type", ""), ""]
    lines += [lower.get(name, "") for name in ("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")]
    lines += [f"{name}:{lower[name].strip()}" for name in sorted(lower) if name.startswith("x-ms-")]
    resource = f"/{account.name}{path}"
    for name, value in sorted((n.lower(), v) for n, v in urllib.parse.parse_qsl(query, keep_blank_values=True)):
        resource += f"\n{name}:{value}"
    text = "\n".join(lines + [resource])
    mac = hmac.new(base64.b64decode(account.key), text.encode(), hashlib.sha256).digest()
    out["Authorization"] = f"SharedKey {account.name}:{base64.b64encode(mac).decode()}"
    return out


class Answer:
    def __init__(self, status: int, headers: dict, body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self) -> str:
        return self.headers.get("x-ms-error-code", "")


def send(account, method: str, path: str, body: bytes = b"", headers: dict | None = None, sign: bool = True,
         announce: int | None = None) -> Answer:
    """One request below the account; `announce` is a Content-Length that is not the body's own."""
    url = urllib.parse.urlsplit(account.endpoint)
    target = f"/{account.name}{path}"
    length = len(body) if announce is None else announce
    headers = headers or {}
    if sign:
        headers = signed_headers(account, method, target, headers, length)
    connection = http.client.HTTPConnection(url.netloc, timeout=20)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        if method in ("PUT", "POST") or length:
            connection.putheader("Content-Length", str(length))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        if body:
            connection.send(body)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def soon(**after) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**after)


def connect(account) -> socket.socket:
    url = urllib.parse.urlsplit(account.endpoint)
    return socket.create_connection((url.hostname, url.port), timeout=20)
