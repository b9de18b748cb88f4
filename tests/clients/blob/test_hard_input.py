"""What a hostile or broken client sends: names of every sign, lengths that lie, bodies that trickle, blobs of 50,000 blocks."""
import base64
import os
import time
import unicodedata
import urllib.parse

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock

from blob_support import connect, send, signed_headers
from conftest import Hub
from process_support import anonymous, open_files

BLOCK = {"x-ms-blob-type": "BlockBlob"}
NAMES = ["..", "../x", "a/../b", "./a", "a/.", "a//b", "/lead", "//", "a/b/", ".", " ", "  a  ", "a.", "%2f", "%252e%252e", "a%00b", "CON", "-rf",
         "*?[]{}|<>\"'`", "#frag?query=1", "a;b=c", "tab\there", "line\nbreak", "\x7f\x1f", "\u00e9", "e\u0301", "\u202egnp.exe", "\ufeffbom", "\U0010ffff",
         "\u0001", "\uffff", "👩‍👩‍👧‍👦", "ﷺ" * 20, "x" * 1024, "é" * 512, "日" * 341, "\U0001f419" * 256, "/".join("d" * 253)]


def encoded(name: str) -> str:
    return "/tests/" + urllib.parse.quote(name, safe="")


@pytest.mark.parametrize("name", NAMES, ids=[f"{n}" for n in range(len(NAMES))])
def test_a_name_is_kept_as_it_was_sent(account, container, name):
    """Every sign percent-encoded on the wire, so that no library on the way takes dots or slashes for its own."""
    assert send(account, "PUT", encoded(name), name.encode(), BLOCK).status == 201
    answer = send(account, "GET", encoded(name))
    assert (answer.status, answer.body) == (200, name.encode())
    assert [blob.name for blob in container.list_blobs()] == [name]
    assert [blob.name for blob in container.list_blobs(name_starts_with=name)] == [name]
    assert send(account, "DELETE", encoded(name)).status == 202 and list(container.list_blobs()) == []


def test_names_that_look_alike_are_different_blobs(account, container):
    alike = ["\u00e9", "e\u0301", "a/b", "a//b", "a", "A", "a ", "a%2Fb", "..", "...", "x/../a"]
    assert unicodedata.normalize("NFC", alike[1]) == alike[0]
    for number, name in enumerate(alike):
        assert send(account, "PUT", encoded(name), str(number).encode(), BLOCK).status == 201
    assert {blob.name for blob in container.list_blobs()} == set(alike)
    assert [send(account, "GET", encoded(name)).body for name in alike] == [str(n).encode() for n in range(len(alike))]


def test_dots_lead_to_no_other_container(account, service, container):
    service.create_container("secret").upload_blob("b", b"secret")
    for path in ("/tests/../secret/b", "/tests/%2e%2e/secret/b", "/tests/..%2fsecret%2fb", "/tests/%2e%2e%2fsecret/b"):
        answer = send(account, "GET", path)
        assert (answer.status, answer.code) == (404, "BlobNotFound"), path


@pytest.mark.parametrize("name", ["x" * 1025, "é" * 1025, "a\x00b"])
def test_names_that_no_blob_can_have(account, container, name):
    answer = send(account, "PUT", encoded(name), b"x", BLOCK)
    assert answer.status == 400 and list(container.list_blobs()) == []


def raw(account, head: bytes, body: bytes = b"", half_close: bool = False) -> bytes:
    with connect(account) as socket:
        socket.sendall(head + body)
        if half_close:
            socket.shutdown(1)
        socket.settimeout(20)
        out = b""
        try:
            while b"\r\n\r\n" not in out and (data := socket.recv(4096)):
                out += data
        except ConnectionResetError:
            pass
        return out


def head_of(account, path: str, length: str | int, signed: int = 0, extra: str = "") -> bytes:
    headers = signed_headers(account, "PUT", f"/{account.name}{path}", BLOCK, signed)
    return (f"PUT /{account.name}{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{extra}" +
            "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "99999999999999999999999", "5,6", "4 4", ""])
def test_lengths_that_are_none(account, container, length):
    answer = raw(account, head_of(account, "/tests/lie", length), b"data")
    assert answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert not container.get_blob_client("lie").exists()


def test_two_lengths_or_a_length_and_chunks(account, container):
    """A request that two readers may cut differently is the way to smuggle another one in."""
    for extra in ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"):
        answer = raw(account, head_of(account, "/tests/lie", 4, 4, extra), b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert not container.get_blob_client("lie").exists()


def test_a_body_that_is_shorter_than_it_says(account, container):
    began = time.monotonic()
    answer = raw(account, head_of(account, "/tests/short", 1000, 1000), b"x" * 999, half_close=True)
    assert answer.startswith(b"HTTP/1.1 503") and "ServerBusy" in answer.decode()
    assert time.monotonic() - began < 5  # at once, not by a deadline
    assert not container.get_blob_client("short").exists()


def test_a_body_that_is_longer_than_it_says(account, container):
    """What is over is the next request, and none of this blob."""
    raw(account, head_of(account, "/tests/long", 4, 4), b"datamore")
    assert container.download_blob("long").readall() == b"data"


def test_a_length_that_was_not_signed(account, container):
    answer = raw(account, head_of(account, "/tests/lie", 5, 4), b"12345")
    assert answer.startswith(b"HTTP/1.1 403") and not container.get_blob_client("lie").exists()


def test_slow_bodies_hold_nobody_up(account, container):
    """Two hundred uploads that send a byte now and then: each costs a connection, none a thread."""
    slow = [connect(account) for _ in range(200)]
    try:
        for number, socket in enumerate(slow):
            socket.sendall(head_of(account, f"/tests/slow{number}", 1000, 1000) + b"x")
        longest = 0.0
        for turn in range(20):
            for socket in slow[turn::20]:
                socket.sendall(b"x")
            began = time.monotonic()
            blob = container.upload_blob("quick", b"quick", overwrite=True)
            assert blob.download_blob().readall() == b"quick"
            longest = max(longest, time.monotonic() - began)
        assert longest < 5, longest
        slow[0].sendall(b"x" * 998)  # one byte at the start, one by its turn
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 201")
    finally:
        for socket in slow:
            socket.close()
    assert [blob.name for blob in container.list_blobs()] == ["quick", "slow0"]


def test_fifty_thousand_blocks(account, container):
    """As many as a blob may have: one block, named 50,000 times, and a list of all of them."""
    blob = container.get_blob_client("many")
    blob.stage_block("00001", b"a")
    blob.stage_block("00002", b"b")
    names = ["00001", "00002"] * 25_000
    blob.commit_block_list([BlobBlock(name) for name in names])
    assert blob.get_blob_properties().size == 50_000
    assert blob.download_blob().readall() == b"ab" * 25_000
    assert [block.id for block in blob.get_block_list()[0]] == names
    with pytest.raises(HttpResponseError) as error:
        blob.commit_block_list([BlobBlock("00001")] * 50_001)
    assert error.value.error_code == "BlockListTooLong"
    assert blob.download_blob(offset=49_998).readall() == b"ab"


@pytest.mark.slow
def test_fifty_thousand_different_blocks(account, container):
    ids = [base64.b64encode(b"%06d" % number).decode() for number in range(50_000)]
    for number, block in enumerate(ids):
        assert send(account, "PUT", f"/tests/many?comp=block&blockid={urllib.parse.quote(block)}", b"%06d" % number).status == 201
    body = b"<BlockList>" + b"".join(b"<Latest>%s</Latest>" % block.encode() for block in ids) + b"</BlockList>"
    assert send(account, "PUT", "/tests/many?comp=blocklist", body).status == 201
    assert container.download_blob("many").readall() == b"".join(b"%06d" % number for number in range(50_000))


@open_files()
def test_ten_thousand_connections(tmp_path):
    """All are open at once, and each is answered again and again; so is a client that comes on top of them."""
    hub = Hub(tmp_path).start()
    crowd = []
    try:
        account = hub.create_account()
        with account.client() as service:
            container = service.create_container("tests", public_access="blob")
            container.upload_blob("b", b"data")
            request = f"GET /{account.name}/tests/b HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            for _ in range(10_000):
                crowd.append(connect(account))
                crowd[-1].sendall(request)
            for turn in range(2):
                for socket in crowd:
                    answer = socket.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\ndata")
                container.upload_blob(f"on top {turn}", b"more")
                assert container.download_blob(f"on top {turn}").readall() == b"more"
                for socket in crowd if turn == 0 else []:
                    socket.sendall(request)
            assert anonymous(hub.process.pid) < 300 << 20
            for socket in crowd[::2]:
                socket.close()
            for socket in crowd[1::2]:
                socket.sendall(request[:-2])  # heads that never end
            assert container.download_blob("b").readall() == b"data"
    finally:
        for socket in crowd:
            socket.close()
    assert hub.stop() == 0


def test_more_stored_files_than_a_shell_lets_a_process_open(tmp_path):
    """Each block of over 256 KiB is a file of its own; all of a blob's are open while it is sent."""
    with open_files(256):
        hub = Hub(tmp_path).start()
    with hub.create_account().client() as service:
        blob = service.create_container("tests").get_blob_client("files")
        blocks = [os.urandom(64) * 4097 for _ in range(400)]
        for number, block in enumerate(blocks):
            blob.stage_block(f"{number:05}", block)
        blob.commit_block_list([BlobBlock(f"{number:05}") for number in range(400)])
        assert blob.download_blob().readall() == b"".join(blocks)
    assert hub.stop() == 0


def test_a_thousand_large_uploads_have_bounded_memory(account, hub, container):
    """All of them stand in the middle of their bodies; then those that go on are stored whole."""
    size, sent = 4 << 20, 600 << 10
    body = os.urandom(size)
    uploads = [connect(account) for _ in range(1000)]
    try:
        for number, socket in enumerate(uploads):
            socket.sendall(head_of(account, f"/tests/large{number}", size, size) + body[:sent])
        highest = 0
        for number in (0, 1, 500, 999):
            highest = max(highest, anonymous(hub.process.pid))
            uploads[number].sendall(body[sent:])
            assert uploads[number].recv(4096).startswith(b"HTTP/1.1 201")
        assert highest < 200 << 20, highest
    finally:
        for socket in uploads:
            socket.close()
    for number in (0, 1, 500, 999):
        assert container.download_blob(f"large{number}").readall() == body
