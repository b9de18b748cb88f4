"""Blob storage behind a proxy that ends TLS: known by another address, below a path, with the clients' own addresses."""
import http.client
import http.server
import re
import ssl
import subprocess
import threading
import urllib.parse

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

from blob_support import soon, send
from conftest import Account, Hub

HOP = {"connection", "transfer-encoding", "keep-alive", "host"}


class Proxy(http.server.ThreadingHTTPServer):
    """https://localhost:PORT/store/... -> http://BACKEND/... or, kept = "/store", http://BACKEND/store/..."""

    def __init__(self, folder):
        certificate, key = folder / "proxy.crt", folder / "proxy.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        super().__init__(("127.0.0.1", 0), Pass)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.certificate, self.backend, self.kept, self.client = certificate, "", "", "203.0.113.9"
        self.url = f"https://localhost:{self.server_address[1]}/store"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Pass(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        assert self.path.startswith("/store/")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        headers |= {"X-Forwarded-For": self.server.client, "X-Forwarded-Proto": "https"}
        connection = http.client.HTTPConnection(self.server.backend, timeout=20)
        connection.request(self.command, self.server.kept + self.path.removeprefix("/store"), body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _ in answer.getheaders()}:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    proxy = Proxy(tmp_path_factory.mktemp("proxy"))
    yield proxy
    proxy.shutdown()


@pytest.fixture(scope="module")
def behind(proxy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("behind")
    (folder / "hub.yaml").write_text(f"endpoint: https://hub.example.com:8443\nstorage: {{endpoint: '{proxy.url}/', proxies: [127.0.0.1], development: true}}\n")
    hub = Hub(folder, folder / "hub.yaml").start()
    proxy.backend = hub.run["blob"]
    yield hub
    assert hub.stop() == 0


@pytest.fixture(params=["path taken off", "path left on"])
def outside(request, behind, proxy) -> Account:
    proxy.kept = "/store" if request.param == "path left on" else ""
    return behind.create_account()


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def test_every_credential_and_every_address(outside, proxy):
    assert outside.endpoint == f"{proxy.url}/{outside.name}"
    for endpoint in (outside.endpoint, outside.endpoint + "-secondary"):
        with BlobServiceClient(endpoint, credential={"account_name": outside.name, "account_key": outside.key},
                               connection_verify=str(proxy.certificate), retry_total=0) as service:
            if endpoint == outside.endpoint:
                container = service.create_container("tests")
                container.upload_blob("a/ä b", b"data")
                copied = container.get_blob_client("copy").start_copy_from_url(container.get_blob_client("a/ä b").url)
                assert copied["copy_status"] == "success"
                container.upload_blob("gone", b"")
                container.delete_blobs("gone")
            assert service.get_blob_client("tests", "a/ä b").download_blob().readall() == b"data"
            assert [blob.name for blob in service.get_container_client("tests").list_blobs()] == ["a/ä b", "copy"]
    signature = generate_blob_sas(outside.name, "tests", "copy", account_key=outside.key, permission=BlobSasPermissions(read=True),
                                  expiry=soon(hours=1), protocol="https", ip=proxy.client)
    with BlobServiceClient(f"{outside.endpoint}?{signature}", connection_verify=str(proxy.certificate), retry_total=0) as service:
        assert service.get_blob_client("tests", "copy").download_blob().readall() == b"data"
        proxy.client = "198.51.100.1"
        try:
            assert code(lambda: service.get_blob_client("tests", "copy").download_blob()) == (403, "AuthorizationSourceIPMismatch")
        finally:
            proxy.client = "203.0.113.9"


def test_listings_and_challenges_name_the_outer_address(outside, behind, proxy):
    direct = Account(outside.name, f"{behind.blob_url}/{outside.name}", outside.keys)
    listed = send(direct, "GET", "/?comp=list").body.decode()
    assert re.search('ServiceEndpoint="([^"]*)"', listed)[1] == f"{proxy.url}/{outside.name}/"
    url = urllib.parse.urlsplit(outside.endpoint)
    connection = http.client.HTTPSConnection(url.netloc, timeout=20, context=ssl.create_default_context(cafile=str(proxy.certificate)))
    connection.request("GET", f"{url.path}/?comp=list", headers={"Authorization": "Bearer x"})
    answer = connection.getresponse()
    assert answer.status == 401
    assert "authorization_uri=https://hub.example.com:8443/" in answer.getheader("WWW-Authenticate")
    connection.close()


def test_others_are_not_believed(tmp_path, proxy):
    """The same words from an address that is not listed."""
    (tmp_path / "hub.yaml").write_text("storage: {proxies: [192.0.2.1]}\n")
    hub = Hub(tmp_path, tmp_path / "hub.yaml").start()
    account = hub.create_account()
    with account.client() as service:
        service.create_container("tests").upload_blob("b", b"data")
    signature = generate_blob_sas(account.name, "tests", "b", account_key=account.key, permission=BlobSasPermissions(read=True), expiry=soon(hours=1), protocol="https")
    answer = send(account, "GET", f"/tests/b?{signature}", headers={"X-Forwarded-Proto": "https"}, sign=False)
    assert (answer.status, answer.code) == (403, "AuthorizationProtocolMismatch")
    assert hub.stop() == 0


@pytest.mark.parametrize("text, said", [
    ("storage: {endpoint: files}", "http"), ("storage: {endpoint: 'https://site1.blob.example.com'}", "names an account"),
    ("storage: {proxies: [proxy.example.com]}", "by its address"), ("endpoint: 'http://hub'", "https://")])
def test_wrong_configurations_are_named(tmp_path, text, said):
    from conftest import BIN
    (tmp_path / "hub.yaml").write_text(text + "\n")
    run = subprocess.run([BIN / "holdfast-hub", "--check", "--data", tmp_path / "d", "--config", tmp_path / "hub.yaml"], capture_output=True, text=True)
    assert run.returncode != 0 and "hub.yaml" in run.stderr and said in run.stderr, run.stderr
