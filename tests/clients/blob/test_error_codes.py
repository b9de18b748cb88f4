"""Each error code of the protocol that we can emit, by a request that asks for it: status, code, header and body agree.
(Codes of signatures: test_sas.py; of leases also test_leases.py; of checksums and XML also test_bad_input.py.)"""
import base64
import hashlib
import re
import xml.etree.ElementTree

import pytest
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from blob_support import send, soon

BLOCK, LOG, DISK = ({"x-ms-blob-type": kind} for kind in ("BlockBlob", "AppendBlob", "PageBlob"))
LEASE, OTHER = "c0ffee00-0000-0000-0000-000000000001", "c0ffee00-0000-0000-0000-000000000002"
MD5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
PAST, FUTURE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 06 Nov 2094 08:49:37 GMT"
TAGS = b"<Tags><TagSet>%s</TagSet></Tags>"


def tag(key: bytes, value: bytes = b"v") -> bytes:
    return b"<Tag><Key>%s</Key><Value>%s</Value></Tag>" % (key, value)


def lease(action: str, **more) -> dict:
    return {"x-ms-lease-action": action} | {f"x-ms-{name.replace('_', '-')}": value for name, value in more.items()}


ACQUIRE = lease("acquire", lease_duration="15", proposed_lease_id=LEASE)

# code, status, method, path below the account, headers, body. "/tests" is a container with "b" (block), "log" (append), "disk" (page),
# "sealed", "leased", "broken", "breaking"; "/held" a container with a lease.
ROWS = [
    ("ConditionNotMet", 304, "GET", "/tests/b", {"If-Modified-Since": FUTURE}, b""),
    ("ConditionNotMet", 412, "GET", "/tests/b", {"If-Match": '"0x1"'}, b""),
    ("ConditionNotMet", 412, "PUT", "/tests/none", BLOCK | {"If-Match": "*"}, b"x"),
    ("ConditionNotMet", 412, "PUT", "/tests/b?comp=metadata", {"If-Unmodified-Since": PAST}, b""),
    ("ConditionNotMet", 412, "DELETE", "/tests?restype=container", {"If-Modified-Since": FUTURE}, b""),
    ("UnsatisfiableCondition", 400, "GET", "/tests/b", {"If-None-Match": "*"}, b""),
    ("MultipleConditionHeadersNotSupported", 400, "PUT", "/tests/b", BLOCK | {"If-Match": '"0x1", "0x2"'}, b"x"),
    ("MultipleConditionHeadersNotSupported", 400, "PUT", "/tests/b", BLOCK | {"If-Match": "*", "If-None-Match": '"0x1"'}, b"x"),
    ("BlobAlreadyExists", 409, "PUT", "/tests/b", BLOCK | {"If-None-Match": "*"}, b"x"),
    ("BlobAlreadyExists", 409, "PUT", "/tests/b?comp=blocklist", {"If-None-Match": "*"}, b"<BlockList/>"),
    ("ContainerAlreadyExists", 409, "PUT", "/tests?restype=container", {}, b""),
    ("ContainerNotFound", 404, "GET", "/none?restype=container", {}, b""),
    ("ContainerNotFound", 404, "PUT", "/none/b", BLOCK, b"x"),
    ("ContainerNotFound", 404, "GET", "/none?restype=container&comp=list", {}, b""),
    ("BlobNotFound", 404, "GET", "/tests/none", {}, b""),
    ("BlobNotFound", 404, "HEAD", "/tests/none", {}, b""),
    ("BlobNotFound", 404, "DELETE", "/tests/none", {}, b""),
    ("BlobNotFound", 404, "PUT", "/tests/none?comp=appendblock", {}, b"x"),
    ("InvalidBlobType", 409, "PUT", "/tests/b?comp=appendblock", {}, b"x"),
    ("InvalidBlobType", 409, "PUT", "/tests/b?comp=seal", {}, b""),
    ("InvalidBlobType", 409, "PUT", "/tests/b?comp=page", {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}, b"x" * 512),
    ("InvalidBlobType", 409, "PUT", "/tests/log?comp=block&blockid=YWFh", {}, b"x"),
    ("BlobIsSealed", 409, "PUT", "/tests/sealed?comp=appendblock", {}, b"x"),
    ("AppendPositionConditionNotMet", 412, "PUT", "/tests/log?comp=appendblock", {"x-ms-blob-condition-appendpos": "7"}, b"x"),
    ("MaxBlobSizeConditionNotMet", 412, "PUT", "/tests/log?comp=appendblock", {"x-ms-blob-condition-maxsize": "1"}, b"xyz"),
    ("LeaseIdMissing", 412, "PUT", "/tests/leased", BLOCK, b"x"),
    ("LeaseIdMissing", 412, "DELETE", "/held?restype=container", {}, b""),
    ("LeaseIdMismatchWithBlobOperation", 412, "PUT", "/tests/leased", BLOCK | {"x-ms-lease-id": OTHER}, b"x"),
    ("LeaseIdMismatchWithContainerOperation", 412, "DELETE", "/held?restype=container", {"x-ms-lease-id": OTHER}, b""),
    ("LeaseNotPresentWithBlobOperation", 412, "PUT", "/tests/b", BLOCK | {"x-ms-lease-id": OTHER}, b"x"),
    ("LeaseNotPresentWithContainerOperation", 412, "DELETE", "/tests?restype=container", {"x-ms-lease-id": OTHER}, b""),
    ("LeaseAlreadyPresent", 409, "PUT", "/tests/leased?comp=lease", lease("acquire", lease_duration="15", proposed_lease_id=OTHER), b""),
    ("LeaseIdMismatchWithLeaseOperation", 409, "PUT", "/tests/leased?comp=lease", lease("renew", lease_id=OTHER), b""),
    ("LeaseNotPresentWithLeaseOperation", 409, "PUT", "/tests/b?comp=lease", lease("break"), b""),
    ("LeaseIsBreakingAndCannotBeAcquired", 409, "PUT", "/tests/breaking?comp=lease", ACQUIRE, b""),
    ("LeaseIsBreakingAndCannotBeChanged", 409, "PUT", "/tests/breaking?comp=lease", lease("change", lease_id=LEASE, proposed_lease_id=OTHER), b""),
    ("LeaseIsBrokenAndCannotBeRenewed", 409, "PUT", "/tests/broken?comp=lease", lease("renew", lease_id=LEASE), b""),
    ("InvalidHeaderValue", 400, "PUT", "/tests/b?comp=lease", lease("acquire", lease_duration="14"), b""),
    ("InvalidHeaderValue", 400, "PUT", "/tests/b?comp=lease", lease("unheard-of"), b""),
    ("InvalidHeaderValue", 400, "PUT", "/tests/b", {"x-ms-blob-type": "Unheard"}, b"x"),
    ("InvalidHeaderValue", 400, "GET", "/tests/b", {"x-ms-version": "yesterday"}, b""),
    ("MissingRequiredHeader", 400, "PUT", "/tests/b", {}, b"x"),
    ("InvalidQueryParameterValue", 400, "GET", "/tests?restype=container&comp=list&maxresults=none", {}, b""),
    ("InvalidQueryParameterValue", 400, "GET", "/tests/b?comp=blocklist&blocklisttype=none", {}, b""),
    ("InvalidQueryParameterValue", 400, "PUT", "/tests/b?comp=block&blockid=%21", {}, b"x"),
    ("InvalidResourceName", 400, "PUT", "/UPPER?restype=container", {}, b""),
    ("InvalidResourceName", 400, "PUT", "/tests/" + "x" * 1025, BLOCK, b"x"),
    ("InvalidMetadata", 400, "PUT", "/tests/b", BLOCK | {"x-ms-meta-a-b": "1"}, b"x"),
    ("MetadataTooLarge", 400, "PUT", "/tests/b", BLOCK | {"x-ms-meta-a": "1" * 8200}, b"x"),
    ("InvalidXmlDocument", 400, "PUT", "/tests/b?comp=blocklist", {}, b"<BlockList>"),
    ("InvalidXmlDocument", 400, "PUT", "/tests/b?comp=tags", {}, b"rubbish"),
    ("InvalidBlockList", 400, "PUT", "/tests/b?comp=blocklist", {}, b"<BlockList><Latest>enp6</Latest></BlockList>"),
    ("BlockListTooLong", 400, "PUT", "/tests/b?comp=blocklist", {}, b"<BlockList>" + b"<Latest>enp6</Latest>" * 50_001 + b"</BlockList>"),
    ("Md5Mismatch", 400, "PUT", "/tests/b", BLOCK | {"Content-MD5": MD5}, b"y"),
    ("InvalidMd5", 400, "PUT", "/tests/b", BLOCK | {"Content-MD5": "AAAA"}, b"y"),
    ("Crc64Mismatch", 400, "PUT", "/tests/b", BLOCK | {"x-ms-content-crc64": "AAAAAAAAAAA="}, b"y"),
    ("BothCrc64AndMd5HeaderPresent", 400, "PUT", "/tests/b", BLOCK | {"Content-MD5": MD5, "x-ms-content-crc64": "AAAAAAAAAAA="}, b"x"),
    ("InvalidRange", 416, "GET", "/tests/b", {"Range": "bytes=10-"}, b""),
    ("InvalidRange", 416, "GET", "/tests/empty", {"x-ms-range": "bytes=0-0"}, b""),
    ("DuplicateTagNames", 400, "PUT", "/tests/b?comp=tags", {}, TAGS % (tag(b"a") * 2)),
    ("EmptyTagName", 400, "PUT", "/tests/b?comp=tags", {}, TAGS % tag(b"")),
    ("TagsTooLarge", 400, "PUT", "/tests/b?comp=tags", {}, TAGS % b"".join(tag(b"%d" % i) for i in range(11))),
    ("NoPendingCopyOperation", 409, "PUT", f"/tests/b?comp=copy&copyid={LEASE}", {"x-ms-copy-action": "abort"}, b""),
    ("CannotVerifyCopySource", 403, "PUT", "/tests/to", {"x-ms-copy-source": "http://127.0.0.1:1/elsewhere/c/b"}, b""),
    ("NoAuthenticationInformation", 401, "GET", "/tests/b", None, b""),
    ("NotImplemented", 501, "PUT", "/tests/b?comp=incrementalcopy", {}, b""),
    ("NotImplemented", 501, "POST", "/tests/b?comp=query", {}, b"x"),
]


@pytest.fixture(scope="module")
def staged(hub):
    """One account for all rows: none of them changes anything."""
    account = hub.create_account()
    service = account.client()
    container = service.create_container("tests")
    service.create_container("held").acquire_lease(60)
    container.upload_blob("b", b"0123456789")
    container.upload_blob("empty", b"")
    for name in ("log", "sealed"):
        container.get_blob_client(name).create_append_blob()
    container.get_blob_client("sealed").seal_append_blob()
    container.get_blob_client("disk").create_page_blob(512)
    for name in ("leased", "breaking", "broken"):
        container.upload_blob(name, b"x").acquire_lease(60, lease_id=LEASE)
    for name, period in (("breaking", "60"), ("broken", "0")):
        assert send(account, "PUT", f"/tests/{name}?comp=lease", headers=lease("break", lease_break_period=period)).status == 202
    return account


@pytest.mark.parametrize("code, status, method, path, headers, body", ROWS, ids=[f"{n}-{row[0]}" for n, row in enumerate(ROWS)])
def test_codes(staged, code, status, method, path, headers, body):
    before = send(staged, "GET", "/tests/b")
    answer = send(staged, method, path, body, headers, sign=headers is not None)
    assert (answer.status, answer.code) == (status, code), answer.body
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-ms-request-id"]) and "date" in answer.headers
    if method == "HEAD" or status == 304:
        assert answer.body == b""
    else:
        root = xml.etree.ElementTree.fromstring(answer.body)
        assert root.tag == "Error" and root.findtext("Code") == code and root.findtext("Message")
    after = send(staged, "GET", "/tests/b")
    assert (after.status, after.body, after.headers["etag"]) == (200, b"0123456789", before.headers["etag"])


def test_an_overwrite_by_a_right_to_create(staged):
    sas = generate_blob_sas(staged.name, "tests", "b", account_key=staged.key, permission=BlobSasPermissions(create=True), expiry=soon(hours=1))
    answer = send(staged, "PUT", f"/tests/b?{sas}", b"x", BLOCK, sign=False)
    assert (answer.status, answer.code) == (403, "UnauthorizedBlobOverwrite")


# A1.4: a write or read, with each condition, on a blob that is there and on one that is not.
CONDITIONS = [  # condition, value ("etag": the blob's own), then the answers: read there, read not there, write there, write not there
    ("If-Match", "etag", 200, 404, 201, 412), ("If-Match", '"0x1"', 412, 404, 412, 412), ("If-Match", "*", 200, 404, 201, 412),
    ("If-None-Match", "etag", 304, 404, 412, 201), ("If-None-Match", '"0x1"', 200, 404, 201, 201), ("If-None-Match", "*", 400, 400, 409, 201),
    ("If-Modified-Since", PAST, 200, 404, 201, 201), ("If-Modified-Since", FUTURE, 304, 404, 412, 201),
    ("If-Unmodified-Since", PAST, 412, 404, 412, 201), ("If-Unmodified-Since", FUTURE, 200, 404, 201, 201),
]


@pytest.mark.parametrize("name, value, read, read_none, write, write_none", CONDITIONS)
def test_conditions(account, container, name, value, read, read_none, write, write_none):
    etag = container.upload_blob("b", b"data").get_blob_properties().etag
    header = {name: etag if value == "etag" else value}
    got = [send(account, "GET", "/tests/b", headers=header).status, send(account, "GET", "/tests/none", headers=header).status,
           send(account, "PUT", "/tests/b", b"x", BLOCK | header).status, send(account, "PUT", "/tests/none", b"x", BLOCK | header).status]
    assert got[:1] + got[2:] == [read, write, write_none] and got[1] in (read_none, 404, 412), got
