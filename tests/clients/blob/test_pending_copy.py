"""azure-storage-blob, unmodified: copies from another server that go on after they were answered, and what may be done meanwhile."""
import base64
import hashlib
import http.server
import random
import ssl
import subprocess
import threading
import time

import pytest
from azure.core.exceptions import HttpResponseError

from blob_support import own_hub, send

PART = 16 << 20
DATA = random.Random(5).randbytes(2 * PART + 1_234_567)


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


class Far:
    """A server that sends as much of DATA as it is told to, and then waits."""
    def __init__(self):
        self.changed = threading.Condition()
        # `cut`: where an answer breaks off, and the ETag from then on.
        self.etag, self.allowed, self.cut, self.asked, self.ranges = '"v1"', 0, None, [], True
        far = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                far.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/data?sig=hidden"

    def answer(self, request):
        self.asked.append(dict(request.headers))
        wanted = request.headers.get("Range") if self.ranges else None
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        request.close_connection = True
        if request.headers.get("If-Match", self.etag) != self.etag:
            request.send_error(412)
            return
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Length", str(len(DATA) - first))
        request.send_header("ETag", self.etag)
        request.send_header("Content-Type", "text/x")
        request.send_header("x-ms-meta-kind", "far")
        if wanted:
            request.send_header("Content-Range", f"bytes {first}-{len(DATA) - 1}/{len(DATA)}")
        request.end_headers()
        try:
            while first < len(DATA):
                if self.cut and first == self.cut[0]:
                    self.etag, self.cut = self.cut[1], None
                    return
                with self.changed:
                    if not self.changed.wait_for(lambda: self.allowed > first, timeout=120):
                        return
                    last = min(first + 65536, self.allowed, self.cut[0] if self.cut else len(DATA))
                request.wfile.write(DATA[first:last])
                first = last
        except OSError:
            pass

    def secure(self, folder, monkeypatch):
        """By TLS from here on, with a certificate that hubs started later trust."""
        certificate, key = folder / "far.crt", folder / "far.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=far",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://{self.host}/data"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def allow(self, count: int):
        with self.changed:
            self.allowed = count
            self.changed.notify_all()


@pytest.fixture
def far(request, tmp_path, monkeypatch):
    made = Far()
    if getattr(request, "param", "") == "https":
        made.secure(tmp_path, monkeypatch)
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.allow(len(DATA))
    made.server.shutdown()


@pytest.fixture
def hub(hub, far, tmp_path):
    """A hub of its own, which may copy from that server."""
    with own_hub(hub, tmp_path, f"storage: {{copy-sources: ['{far.host}'], copy-timeout: 60s, deleted-containers: 1h}}\n") as own:
        yield own


def until(found, blob, seconds: float = 60):
    """The blob's properties, once they are what is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        there = blob.get_blob_properties()
        if found(there.copy) or time.monotonic() > deadline:
            assert found(there.copy), dict(there.copy)
            return there
        time.sleep(0.02)


def ended(copy) -> bool:
    return copy.status != "pending"


def test_it_goes_on_after_it_was_answered(container, far):
    blob = container.upload_blob("b", b"before")
    began = blob.start_copy_from_url(far.url, metadata={"a": "1"})
    assert began["copy_status"] == "pending"
    there = blob.get_blob_properties()
    assert there.copy.status == "pending" and there.copy.id == began["copy_id"] and there.copy.progress == f"0/{len(DATA)}"
    assert there.copy.source == f"http://{far.host}/data" and there.size == 0 and there.etag == began["etag"] and there.metadata == {"a": "1"}
    assert blob.download_blob().readall() == b""
    far.allow(PART + 1000)
    there = until(lambda copy: copy.progress == f"{PART}/{len(DATA)}", blob)
    assert there.copy.status == "pending" and there.copy.completion_time is None and there.size == 0
    listed = next(iter(container.list_blobs(include="copy")))
    assert (listed.copy.id, listed.copy.status, listed.copy.progress) == (began["copy_id"], "pending", there.copy.progress)
    far.allow(len(DATA))
    there = until(ended, blob)
    assert there.copy.status == "success" and there.copy.progress == f"{len(DATA)}/{len(DATA)}" and there.copy.completion_time is not None
    assert there.etag != began["etag"] and there.metadata == {"a": "1"} and there.content_settings.content_type == "text/x"
    assert there.content_settings.content_md5 == bytearray(hashlib.md5(DATA).digest())
    assert blob.download_blob().readall() == DATA
    assert len(far.asked) == 2  # once to see it, once for all of its bytes
    assert code(lambda: blob.abort_copy(began["copy_id"])) == (409, "NoPendingCopyOperation")


def test_nobody_else_changes_what_is_under_way(container, far):
    blob = container.get_blob_client("b")
    blob.start_copy_from_url(far.url)
    refused = {
        "upload": lambda: blob.upload_blob(b"x", overwrite=True), "block": lambda: blob.stage_block("aaaa", b"x"),
        "list": lambda: blob.commit_block_list([]), "metadata": lambda: blob.set_blob_metadata({"a": "1"}), "headers": lambda: blob.set_http_headers(),
        "tags": lambda: blob.set_blob_tags({"a": "1"}), "tier": lambda: blob.set_standard_blob_tier("Cool"), "snapshot": lambda: blob.create_snapshot(),
        "delete": lambda: blob.delete_blob(), "append blob": lambda: blob.create_append_blob(), "pages": lambda: blob.create_page_blob(512),
        "copy": lambda: blob.start_copy_from_url(far.url), "copy now": lambda: blob.start_copy_from_url(far.url, requires_sync=True),
        "copy of here": lambda: blob.start_copy_from_url(blob.url), "put from URL": lambda: blob.upload_blob_from_url(far.url, overwrite=True),
    }
    for name, call in refused.items():
        assert code(call) == (409, "PendingCopyOperation"), name
    assert blob.get_blob_properties().copy.status == "pending" and len(far.asked) <= 2
    far.allow(len(DATA))
    until(ended, blob)
    assert blob.download_blob().readall() == DATA
    blob.delete_blob()


def test_abort(account, container, far):
    blob = container.get_blob_client("b")
    assert code(lambda: blob.abort_copy("none")) == (404, "BlobNotFound")
    first = blob.start_copy_from_url(far.url, metadata={"a": "1"})["copy_id"]
    far.allow(PART + 1)
    until(lambda copy: copy.progress.startswith(f"{PART}/"), blob)
    held = blob.acquire_lease()
    assert code(lambda: blob.abort_copy(first)) == (412, "LeaseIdMissing")
    assert code(lambda: blob.abort_copy("c0ffee00-0000-0000-0000-000000000001", lease=held)) == (409, "CopyIdMismatch")
    path, lease = f"/tests/b?comp=copy&copyid={first}", {"x-ms-lease-id": held.id}
    assert send(account, "PUT", path, headers=lease).status == 400  # it does not say abort
    assert send(account, "PUT", "/tests/b?comp=copy", headers=lease | {"x-ms-copy-action": "abort"}).code == "MissingRequiredQueryParameter"
    answer = send(account, "PUT", path, headers=lease | {"x-ms-copy-action": "abort"})
    assert answer.status == 204 and answer.body == b""
    held.release()
    there = blob.get_blob_properties()
    assert there.copy.status == "aborted" and there.copy.completion_time is not None and there.size == 0 and there.metadata == {"a": "1"}
    assert code(lambda: blob.abort_copy(first)) == (409, "NoPendingCopyOperation")
    # Its place is free for another one, which is not disturbed by what is left of the first.
    far.allow(len(DATA))
    second = blob.start_copy_from_url(far.url)["copy_id"]
    there = until(ended, blob)
    assert there.copy.id == second != first and there.copy.status == "success" and blob.download_blob().readall() == DATA
    blob.upload_blob(b"x", overwrite=True)
    assert blob.get_blob_properties().copy.id is None


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("changes", [False, True])
def test_a_source_that_is_cut(container, far, changes, ranges):
    """Where it serves no ranges, what is here already comes again, and is compared."""
    blob, cut, far.ranges = container.get_blob_client("b"), PART + 4321, ranges
    far.cut = (cut, '"v2"' if changes else '"v1"')
    blob.start_copy_from_url(far.url)
    far.allow(cut + 1)
    until(lambda copy: ended(copy) or copy.progress == f"{cut}/{len(DATA)}", blob)
    far.allow(len(DATA))
    there = until(ended, blob)
    assert [headers.get("Range") for headers in far.asked] == [None, None, f"bytes={cut}-"]
    if not changes:
        assert there.copy.status == "success" and blob.download_blob().readall() == DATA
        return
    assert there.copy.status == "failed" and "changed" in there.copy.status_description and there.size == 0 and there.copy.completion_time is not None
    listed = next(iter(container.list_blobs(include="copy")))
    assert listed.copy.status == "failed" and listed.copy.status_description == there.copy.status_description


@pytest.mark.parametrize("far", ["https"], indirect=True)
def test_from_a_source_by_https(container, far):
    blob = container.get_blob_client("b")
    assert blob.start_copy_from_url(far.url)["copy_status"] == "pending"
    far.allow(len(DATA))
    there = until(ended, blob)
    assert there.copy.status == "success" and there.copy.source == far.url and blob.download_blob().readall() == DATA


def test_sums_of_the_source(account, container, far):
    far.allow(len(DATA))
    crc = send(account, "PUT", "/tests/here?comp=block&blockid=YWFh", DATA).headers["x-ms-content-crc64"]
    md5, other = base64.b64encode(hashlib.md5(DATA).digest()).decode(), base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for name, sum, status in (("md5", md5, "success"), ("crc64", crc, "success"), ("md5", other, "failed"), ("crc64", "AAAAAAAAAAA=", "failed")):
        answer = send(account, "PUT", "/tests/to", headers={"x-ms-copy-source": far.url, f"x-ms-source-content-{name}": sum})
        assert (answer.status, answer.headers["x-ms-copy-status"]) == (202, "pending")
        there = until(ended, container.get_blob_client("to"))
        assert there.copy.status == status, (name, sum)
        assert there.size == (len(DATA) if status == "success" else 0)


def test_killed_in_the_middle_it_goes_on_from_there(hub, container, account, far):
    name, etag = "b", far.etag
    blob = container.get_blob_client(name)
    began = blob.start_copy_from_url(far.url)
    far.allow(PART + PART // 2)
    until(lambda copy: copy.progress == f"{PART}/{len(DATA)}", blob)
    hub.kill()
    asked = len(far.asked)
    hub.start()
    account.endpoint = f"{hub.blob_url}/{account.name}"
    with account.client() as service:
        blob = service.get_blob_client("tests", name)
        there = blob.get_blob_properties()
        assert there.copy.status == "pending" and there.copy.progress == f"{PART}/{len(DATA)}"
        far.allow(len(DATA))
        there = until(ended, blob)
        assert (there.copy.status, there.copy.id) == ("success", began["copy_id"]) and blob.download_blob().readall() == DATA
        assert there.content_settings.content_md5 == bytearray(hashlib.md5(DATA).digest())
    assert [(headers["Range"], headers["If-Match"]) for headers in far.asked[asked:]] == [(f"bytes={PART}-", etag)]


def test_killed_in_the_middle_and_the_source_changes(hub, container, account, far):
    container.get_blob_client("b").start_copy_from_url(far.url)
    far.allow(PART + 1)
    until(lambda copy: copy.progress == f"{PART}/{len(DATA)}", container.get_blob_client("b"))
    hub.kill()
    far.etag = '"v2"'
    hub.start()
    account.endpoint = f"{hub.blob_url}/{account.name}"
    with account.client() as service:
        blob = service.get_blob_client("tests", "b")
        there = until(ended, blob)
        assert there.copy.status == "failed" and "changed" in there.copy.status_description
        assert there.size == 0 and blob.download_blob().readall() == b""


def test_a_container_that_is_deleted_ends_its_copies(service, container, far):
    blob = container.get_blob_client("b")
    blob.start_copy_from_url(far.url)
    far.allow(PART + 1)
    until(lambda copy: copy.progress.startswith(f"{PART}/"), blob)
    container.delete_container()
    version = next(c.version for c in service.list_containers(include_deleted=True) if c.deleted)
    far.allow(len(DATA))
    service.undelete_container("tests", version)
    there = blob.get_blob_properties()
    assert there.copy.status == "failed" and "deleted" in there.copy.status_description and there.size == 0
    blob.delete_blob()
    blob.start_copy_from_url(far.url)
    until(ended, blob)
    assert blob.download_blob().readall() == DATA
