"""azure-storage-blob, unmodified: copies from other accounts, and from other servers as far as hub.yaml lists them."""
import base64
import hashlib
import http.server
import os
import threading
import time

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from blob_support import own_hub, send, soon

DATA = os.urandom(300_032)


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


class Source(http.server.BaseHTTPRequestHandler):
    """A server that is no blob store; some of its paths lie."""
    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict]] = []
    dripped = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        Source.asked.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        if path == "/data":
            first, last = 0, len(DATA) - 1
            if wanted := self.headers.get("Range"):
                low, _, high = wanted.removeprefix("bytes=").partition("-")
                first, last = int(low), min(int(high or last), last)
            self.head(206 if wanted else 200, last - first + 1, ETag='"v1"', **{"Content-Type": "text/x", "x-ms-meta-kind": "far"},
                      **({"Content-Range": f"bytes {first}-{last}/{len(DATA)}"} if wanted else {}))
            self.wfile.write(DATA[first:last + 1])
        elif path == "/token":
            good = self.headers.get("Authorization") == "Bearer secret"
            self.head(200 if good else 401, 2)
            self.wfile.write(b"ok")
        elif path == "/redirect":
            self.head(302, 0, Location=f"http://127.0.0.1:{self.server.server_port}/data")
        elif path == "/short":
            self.head(200, 1000)
            self.wfile.write(b"only this")
            self.close_connection = True
        elif path == "/endless":
            self.head(200, None, **{"Transfer-Encoding": "chunked"})
            try:
                while True:
                    self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            except OSError:
                self.close_connection = True
        elif path == "/huge":
            self.head(200, 1 << 60)
        elif path == "/silent":
            self.head(200, 1000)
            self.wfile.flush()
            time.sleep(5)
            self.close_connection = True
        elif path == "/drip":
            self.head(200, 1_000_000)
            try:
                for Source.dripped in range(200):
                    self.wfile.write(b"x")
                    time.sleep(0.1)
            except OSError:
                pass
            self.close_connection = True
        else:
            self.head(404, 0)

    def head(self, status, length, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture(scope="module")
def far():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def hub(hub, far, tmp_path_factory):
    """A hub of its own, which may copy from that server."""
    config = f"storage: {{copy-sources: ['{far.removeprefix('http://')}'], copy-timeout: 2s}}\n"
    with own_hub(hub, tmp_path_factory.mktemp("copies"), config) as own:
        yield own


def every_call(container, url, length=512):
    """Each way to copy, onto blobs that are there."""
    block, log, disk = (container.get_blob_client(name) for name in ("block", "log", "disk"))
    log.create_append_blob()
    disk.create_page_blob(512)
    return {
        "Copy From URL": lambda: block.start_copy_from_url(url, requires_sync=True),
        "Put Blob From URL": lambda: block.upload_blob_from_url(url, overwrite=True),
        "Put Block From URL": lambda: block.stage_block_from_url("aaaa", url, source_offset=0, source_length=length),
        "Append Block From URL": lambda: log.append_block_from_url(url, source_offset=0, source_length=length),
        "Put Page From URL": lambda: disk.upload_pages_from_url(url, 0, length, 0),
    }


def check_copied(container, url, data):
    calls = every_call(container, url)
    block = container.get_blob_client("block")
    for name in ("Copy From URL", "Put Blob From URL"):
        calls[name]()
        assert block.download_blob().readall() == data, name
    calls["Put Block From URL"]()
    block.commit_block_list(["aaaa"])
    calls["Append Block From URL"]()
    calls["Put Page From URL"]()
    for name in ("block", "log", "disk"):
        assert container.get_blob_client(name).download_blob().readall() == data[:512], name
    block.start_copy_from_url(url)
    while block.get_blob_properties().copy.status == "pending":
        time.sleep(0.02)
    assert block.download_blob().readall() == data


def test_from_another_account(hub, container):
    other = hub.create_account()
    with other.client() as service:
        private, public = service.create_container("private"), service.create_container("public", public_access="blob")
        secret, shown = private.upload_blob("b", DATA), public.upload_blob("b", DATA)
    sas = generate_blob_sas(other.name, "private", "b", account_key=other.key, permission=BlobSasPermissions(read=True), expiry=soon(hours=1))
    check_copied(container, f"{secret.url}?{sas}", DATA)
    check_copied(container, shown.url, DATA)
    for name, call in every_call(container, secret.url).items():
        assert code(call) == (403, "CannotVerifyCopySource"), name
    assert code(lambda: container.get_blob_client("block").start_copy_from_url(secret.url)) == (403, "CannotVerifyCopySource")


def test_from_another_server(container, far):
    check_copied(container, f"{far}/data?sig=hidden", DATA)
    copy = container.get_blob_client("copy")
    copy.start_copy_from_url(f"{far}/data?sig=hidden", requires_sync=True)
    there = copy.get_blob_properties()
    assert there.copy.status == "success" and there.copy.source == f"{far}/data" and there.copy.progress == f"{len(DATA)}/{len(DATA)}"
    assert there.metadata == {"kind": "far"} and there.content_settings.content_type == "text/x"
    assert there.content_settings.content_md5 == bytearray(hashlib.md5(DATA).digest())
    own = container.get_blob_client("own")
    own.upload_blob_from_url(f"{far}/data", metadata={"a": "1"}, include_source_blob_properties=False)
    there = own.get_blob_properties()
    assert there.metadata == {"a": "1"} and there.content_settings.content_type == "application/octet-stream"


def test_sums_conditions_and_tokens(container, far):
    blob, url = container.get_blob_client("b"), f"{far}/data"
    right, wrong = hashlib.md5(DATA).digest(), hashlib.md5(b"other").digest()
    assert code(lambda: blob.upload_blob_from_url(url, source_content_md5=bytearray(wrong))) == (400, "Md5Mismatch")
    assert not blob.exists()
    blob.upload_blob_from_url(url, source_content_md5=bytearray(right))
    assert code(lambda: blob.start_copy_from_url(url, requires_sync=True, source_etag='"v2"',
                                                 source_match_condition=MatchConditions.IfNotModified)) == (412, "SourceConditionNotMet")
    blob.start_copy_from_url(url, requires_sync=True, source_etag='"v1"', source_match_condition=MatchConditions.IfNotModified)
    assert code(lambda: blob.upload_blob_from_url(f"{far}/token", overwrite=True)) == (403, "CannotVerifyCopySource")
    assert code(lambda: blob.upload_blob_from_url(f"{far}/none", overwrite=True)) == (404, "CannotVerifyCopySource")
    blob.upload_blob_from_url(f"{far}/token", overwrite=True, source_authorization="Bearer secret")
    assert blob.download_blob().readall() == b"ok"
    held = blob.acquire_lease()
    asked = len(Source.asked)
    assert code(lambda: blob.start_copy_from_url(url, requires_sync=True)) == (412, "LeaseIdMissing")
    assert len(Source.asked) == asked  # what is refused anyway costs the source nothing
    held.release()


def test_sums_of_a_source_here(account, container):
    source = container.upload_blob("source", DATA)
    for good in (True, False):
        md5 = base64.b64encode(hashlib.md5(DATA if good else b"other").digest()).decode()
        answer = send(account, "PUT", "/tests/to", headers={"x-ms-blob-type": "BlockBlob", "x-ms-copy-source": source.url, "x-ms-source-content-md5": md5})
        assert (answer.status, answer.code) == ((201, "") if good else (400, "Md5Mismatch"))


@pytest.mark.parametrize("path, answer", [
    ("/redirect", 400), ("/short", 500), ("/endless", 400), ("/huge", 413), ("/silent", 500), ("/drip", 500)])
def test_a_source_that_lies_leaves_nothing(container, far, path, answer):
    blob = container.upload_blob("there", b"before")
    asked = len(Source.asked)
    for call in (lambda: blob.start_copy_from_url(far + path, requires_sync=True), lambda: blob.upload_blob_from_url(far + path, overwrite=True)):
        assert code(call) == (answer, "RequestBodyTooLarge" if answer == 413 else "CannotVerifyCopySource")
    assert len(Source.asked) == asked + 2
    assert path != "/drip" or Source.dripped < 199  # it was not waited for
    assert blob.download_blob().readall() == b"before"


def test_servers_that_are_not_listed(account, container, far):
    port = far.rpartition(":")[2]
    asked = len(Source.asked)
    urls = ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/data", f"http://127.0.0.2:{port}/data", f"http://[::1]:{port}/data",
            f"http://0.0.0.0:{port}/data", "http://user@127.0.0.1/data"]
    for url in urls:
        answer = send(account, "PUT", "/tests/b", headers={"x-ms-copy-source": url})
        assert answer.status in (400, 403) and (answer.status == 400 or b"copy-sources" in answer.body), (url, answer.body)
    assert len(Source.asked) == asked
    # The range decides, whatever the name: this one leads to the address that is listed.
    assert send(account, "PUT", "/tests/b", headers={"x-ms-copy-source": f"http://localhost:{port}/data"}).status == 202


def test_a_list_that_makes_no_sense(hub, tmp_path):
    import subprocess
    from conftest import BIN
    for text in ("copy-sources: ['http://a']", "copy-sources: [10.0.0.0/40]", "copy-timeout: 1ms"):
        (tmp_path / "hub.yaml").write_text(f"storage: {{{text}}}\n")
        done = subprocess.run([BIN / "holdfast-hub", "--check", "--config", tmp_path / "hub.yaml", "--data", tmp_path / "hub"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and text.split(":")[0] in done.stderr, done.stderr
