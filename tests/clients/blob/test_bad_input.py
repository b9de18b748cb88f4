"""What no stock client sends: broken XML, oversized bodies, wrong checksums, unknown operations, no signature."""
import base64
import hashlib
import xml.etree.ElementTree

import pytest

from blob_support import connect, send, signed_headers
from conftest import Hub


def error_of(answer) -> str:
    """The code of a well-formed Azure error, which body and header agree on."""
    root = xml.etree.ElementTree.fromstring(answer.body)
    assert root.tag == "Error" and answer.headers["content-type"] == "application/xml"
    message = root.find("Message").text
    assert f"RequestId:{answer.headers['x-ms-request-id']}" in message and "\nTime:" in message
    assert root.find("Code").text == answer.code
    return answer.code


@pytest.mark.parametrize("body", [b"", b"not xml", b"<BlockList>", b"<BlockList><Latest>QQ==</BlockList>", b"<Other/>",
                                  b"<BlockList><Wrong>QQ==</Wrong></BlockList>",
                                  b'<!DOCTYPE x [<!ENTITY a "QQ==">]><BlockList><Latest>&a;</Latest></BlockList>', b"\xff\xfe\x00"])
def test_broken_xml(account, container, body):
    answer = send(account, "PUT", "/tests/b?comp=blocklist", body)
    assert (answer.status, error_of(answer)) == (400, "InvalidXmlDocument")


def test_too_many_blocks(account, container):
    body = b"<BlockList>" + b"<Latest>QQ==</Latest>" * 50_001 + b"</BlockList>"
    answer = send(account, "PUT", "/tests/b?comp=blocklist", body)
    assert (answer.status, error_of(answer)) == (400, "BlockListTooLong")


@pytest.mark.parametrize("path, headers, limit", [("/tests/b", {"x-ms-blob-type": "BlockBlob"}, 5000 << 20),
                                                  ("/tests/b?comp=block&blockid=QQ%3D%3D", {}, 4000 << 20),
                                                  ("/tests/b?comp=blocklist", {}, 8 << 20)])
def test_oversized_body(account, container, path, headers, limit):
    answer = send(account, "PUT", path, headers=headers | {"Expect": "100-continue"}, announce=limit + 1)
    assert (answer.status, error_of(answer)) == (413, "RequestBodyTooLarge")


def test_a_cut_upload_leaves_nothing(account, container):
    headers = signed_headers(account, "PUT", f"/{account.name}/tests/cut", {"x-ms-blob-type": "BlockBlob"}, 100_000)
    head = f"PUT /{account.name}/tests/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
    with connect(account) as socket:
        socket.sendall((head + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode() + b"x" * 5000)
    assert not container.get_blob_client("cut").exists()


def put(account, body=b"data", **headers):
    return send(account, "PUT", "/tests/sum", body, {"x-ms-blob-type": "BlockBlob"} | {k.replace("_", "-"): v for k, v in headers.items()})


CRC_OF_DIGITS = base64.b64encode(0xAE8B14860A799888.to_bytes(8, "little")).decode()


def test_checksums(account, container):
    wrong, right = (base64.b64encode(hashlib.md5(text).digest()).decode() for text in (b"other", b"data"))
    assert put(account, content_md5=right).status == 201
    assert put(account, x_ms_blob_content_md5=right, content_md5=wrong).status == 201  # x-ms-blob-content-md5 counts
    assert put(account, b"123456789", x_ms_content_crc64=CRC_OF_DIGITS).status == 201
    before = send(account, "GET", "/tests/sum").headers["etag"]
    for headers, code in [(dict(content_md5=wrong), "Md5Mismatch"), (dict(content_md5="short"), "InvalidMd5"),
                          (dict(x_ms_content_crc64=CRC_OF_DIGITS), "Crc64Mismatch"), (dict(x_ms_content_crc64="AA=="), "InvalidHeaderValue"),
                          (dict(content_md5=right, x_ms_content_crc64=CRC_OF_DIGITS), "BothCrc64AndMd5HeaderPresent")]:
        answer = put(account, **headers)
        assert (answer.status, error_of(answer)) == (400, code)
    assert send(account, "GET", "/tests/sum").headers["etag"] == before


def test_ranges(account, container):
    put(account, b"0123456789")
    for header, status, body in [("bytes=2-4", 206, b"234"), ("bytes=7-", 206, b"789"), ("bytes=8-100", 206, b"89"),
                                 ("bytes=5-4", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789"), ("bytes=10-", 416, None)]:
        answer = send(account, "GET", "/tests/sum", headers={"Range": header})
        assert answer.status == status and (body is None or answer.body == body), header
    both = send(account, "GET", "/tests/sum", headers={"Range": "bytes=0-0", "x-ms-range": "bytes=1-1"})
    assert both.body == b"1" and both.headers["content-range"] == "bytes 1-1/10"


@pytest.mark.parametrize("headers", [{"If-Match": '"0x1", "0x2"'}, {"If-Match": '"0x1"', "If-None-Match": '"0x2"'},
                                     {"If-Match": "*", "If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}])
def test_impossible_conditions(account, container, headers):
    answer = send(account, "PUT", "/tests/b", b"x", {"x-ms-blob-type": "BlockBlob"} | headers)
    assert (answer.status, error_of(answer)) == (400, "MultipleConditionHeadersNotSupported")


@pytest.mark.parametrize("method, path, headers, word", [
    ("GET", "/tests/b?comp=unheard-of", {}, "unheard-of")])
def test_what_is_not_offered_is_named(account, container, method, path, headers, word):
    answer = send(account, method, path, headers=headers)
    assert (answer.status, error_of(answer)) == (501, "NotImplemented")
    assert word in answer.body.decode()


def test_no_credential(account, container):
    container.upload_blob("b", b"data")
    answer = send(account, "GET", "/tests/b", sign=False)
    assert (answer.status, error_of(answer)) == (401, "NoAuthenticationInformation")
    head = send(account, "HEAD", "/tests/b", sign=False)
    assert head.status == 401 and head.body == b"" and head.code == "NoAuthenticationInformation"


def wrongly_signed(account, path):
    """The details of the refusals of a wrong key and of a wrong SAS."""
    headers = signed_headers(account, "GET", f"/{account.name}{path}", {}, 0)
    headers["Authorization"] = headers["Authorization"][:-6] + "AAAAA="
    sas = "?sv=2021-12-02&sr=b&sp=r&se=2099-01-01T00:00:00Z&sig=AAAA"
    for answer in (send(account, "GET", path, headers=headers, sign=False), send(account, "GET", path + sas, sign=False)):
        assert (answer.status, error_of(answer)) == (403, "AuthenticationFailed")
        yield xml.etree.ElementTree.fromstring(answer.body).find("AuthenticationErrorDetail").text


def test_what_was_signed_is_told_in_development_alone(account, container, tmp_path):
    for detail in wrongly_signed(account, "/tests/b"):
        assert account.name not in detail and "2099" not in detail and "development" in detail
    (tmp_path / "hub.yaml").write_text("storage: {development: true}\n")
    own = Hub(tmp_path, tmp_path / "hub.yaml").start()
    try:
        other = own.create_account()
        by_key, by_sas = wrongly_signed(other, "/tests/b")
        assert f"/{other.name}/{other.name}/tests/b" in by_key
        assert f"/blob/{other.name}/tests/b" in by_sas and "2099-01-01T00:00:00Z" in by_sas
    finally:
        assert own.stop() == 0


def test_versions(account, container):
    put(account)
    for version in ("2009-09-19", "2026-04-06", "2099-01-01"):
        answer = send(account, "GET", "/tests/sum", headers={"x-ms-version": version, "x-ms-unheard-of": "1", "x-ms-client-request-id": "mine"})
        assert answer.status == 200 and answer.headers["x-ms-version"] == version and answer.headers["x-ms-client-request-id"] == "mine"
    for version in ("2009-09-18", "latest", "2021-99-99"):
        answer = send(account, "GET", "/tests/sum", headers={"x-ms-version": version})
        assert (answer.status, error_of(answer)) == (400, "InvalidHeaderValue")


def test_what_would_be_lost_is_refused(account, container):
    put(account)
    for headers, code in [({"x-ms-if-tags": "a='b'"}, 412), ({"x-ms-lease-id": "c0ffee00-0000-0000-0000-000000000000"}, 412),
                          ({"x-ms-encryption-key": "AAAA"}, 501), ({"x-ms-structured-body": "XSM/1.0; properties=crc64"}, 501)]:
        assert send(account, "PUT", "/tests/sum", b"x", {"x-ms-blob-type": "BlockBlob"} | headers).status == code, headers
    assert send(account, "GET", "/tests/sum").body == b"data"


@pytest.mark.parametrize("path", ["/tests/%", "/tests/%zz", "/tests/a%00b", "/tests/%ff"])
def test_broken_addresses(account, container, path):
    answer = send(account, "PUT", path, b"x", {"x-ms-blob-type": "BlockBlob"})
    assert answer.status == 400 and error_of(answer) in ("InvalidInput", "InvalidUri", "InvalidResourceName")


def test_listing_arguments(account, container):
    for query in ("maxresults=0", "maxresults=x", "marker=%21%21"):
        answer = send(account, "GET", f"/tests?restype=container&comp=list&{query}")
        assert (answer.status, error_of(answer)) == (400, "InvalidQueryParameterValue")
    assert send(account, "GET", "/tests?restype=container&comp=list&include=unheard-of").status == 200
