"""Each error code of the protocol that we can emit, by a request that asks for it: status, code, header and body agree.
The last test fails where the server can emit a code that no row and no other test asks for."""
import base64
import hashlib
import pathlib
import re
import xml.etree.ElementTree

import pytest
from azure.storage.blob import BlobSasPermissions, ImmutabilityPolicy, generate_blob_sas

from blob_support import connect, send, signed_headers, soon

BLOCK, LOG, DISK = ({"x-ms-blob-type": kind} for kind in ("BlockBlob", "AppendBlob", "PageBlob"))
LEASE, OTHER = "c0ffee00-0000-0000-0000-000000000001", "c0ffee00-0000-0000-0000-000000000002"
MD5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
PAGES = {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}
PAST, FUTURE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 06 Nov 2094 08:49:37 GMT"
TAGS = b"<Tags><TagSet>%s</TagSet></Tags>"


def tag(key: bytes, value: bytes = b"v") -> bytes:
    return b"<Tag><Key>%s</Key><Value>%s</Value></Tag>" % (key, value)


def lease(action: str, **more) -> dict:
    return {"x-ms-lease-action": action} | {f"x-ms-{name.replace('_', '-')}": value for name, value in more.items()}


ACQUIRE = lease("acquire", lease_duration="15", proposed_lease_id=LEASE)

# code, status, method, path below the account, headers, body. "/tests" is a container with "b" (block), "log" (append), "disk" (page),
# "sealed", "leased", "broken", "breaking", "shot" (with a snapshot), "hold", "kept" (by a policy); "/held" a container with a lease.
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
    ("AuthorizationFailure", 403, "DELETE", "/%24blobchangefeed/x", {}, b""),
    ("AccessTierNotSupportedForBlobType", 400, "PUT", "/tests/new", DISK | {"x-ms-blob-content-length": "512", "x-ms-access-tier": "Hot"}, b""),
    ("InvalidPageRange", 416, "PUT", "/tests/disk?comp=page", PAGES | {"x-ms-range": "bytes=1-512"}, b"x" * 512),
    ("SequenceNumberConditionNotMet", 412, "PUT", "/tests/disk?comp=page", PAGES | {"x-ms-if-sequence-number-eq": "7"}, b"x" * 512),
    ("RequestBodyTooLarge", 413, "PUT", "/tests/disk?comp=page", PAGES | {"x-ms-range": f"bytes=0-{(4 << 20) + 511}"}, b""),
    ("PreviousSnapshotNotFound", 409, "GET", "/tests/disk?comp=pagelist&prevsnapshot=2020-01-01T00%3A00%3A00.0000000Z", {}, b""),
    ("SnapshotsPresent", 409, "DELETE", "/tests/shot", {}, b""),
    ("BlobImmutableDueToLegalHold", 409, "DELETE", "/tests/hold", {}, b""),
    ("BlobImmutableDueToPolicy", 409, "DELETE", "/tests/kept", {}, b""),
    ("BlobImmutableDueToPolicy", 409, "DELETE", "/tests?restype=container", {}, b""),
    ("InvalidTag", 400, "PUT", "/tests/b?comp=tags", {}, TAGS % tag(b"k", b"v" * 257)),
    ("MissingRequiredQueryParameter", 400, "PUT", "/tests/b?comp=copy", {"x-ms-copy-action": "abort"}, b""),
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
    container.upload_blob("shot", b"x").create_snapshot()
    container.upload_blob("hold", b"x").set_legal_hold(True)
    container.upload_blob("kept", b"x").set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(hours=1), policy_mode="Unlocked"))
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


def test_a_body_without_a_length(staged):
    path = "/tests/none"
    headers = signed_headers(staged, "PUT", f"/{staged.name}{path}", BLOCK, 0)
    with connect(staged) as socket:
        socket.sendall((f"PUT /{staged.name}{path} HTTP/1.1\r\nHost: x\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode())
        answer = socket.recv(4096)
    assert answer.startswith(b"HTTP/1.1 411 ") and b"MissingContentLengthHeader" in answer
    assert send(staged, "HEAD", path).status == 404


def test_a_snapshot_of_what_was_overwritten(account, container):
    taken = container.upload_blob("disk", b"no pages").create_snapshot()["snapshot"]
    container.upload_blob("disk", bytes(512), blob_type="PageBlob", overwrite=True)
    answer = send(account, "GET", f"/tests/disk?comp=pagelist&prevsnapshot={taken.replace(':', '%3A')}")
    assert (answer.status, answer.code) == (409, "BlobOverwritten")
    pages = container.get_blob_client("disk")
    first = pages.create_snapshot()["snapshot"]
    pages.upload_page(b"x" * 512, 0, 512)
    second = pages.create_snapshot()["snapshot"]
    pages.create_page_blob(512)
    overwritten = lambda since, of="": send(account, "GET", f"/tests/disk?comp=pagelist&prevsnapshot={since.replace(':', '%3A')}{of}").code
    assert [overwritten(since) for since in (first, second)] == ["BlobOverwritten"] * 2
    between = container.get_blob_client("disk", snapshot=second).get_page_ranges(previous_snapshot_diff=first)
    assert between == ([{"start": 0, "end": 511}], [])
    pages.start_copy_from_url(container.get_blob_client("disk", snapshot=second).url)
    third = pages.create_snapshot()["snapshot"]
    assert overwritten(second, "&snapshot=" + third.replace(":", "%3A")) == "BlobOverwritten"
    assert pages.get_page_ranges(previous_snapshot_diff=third) == ([], [])


ELSEWHERE = {  # code: the test that asks for it
    "AllSubRequestsMustBeOfSameType": "test_batch.py", "AuthenticationFailed": "test_sas.py", "AuthorizationPermissionMismatch": "test_sas.py",
    "AuthorizationProtocolMismatch": "test_sas.py", "AuthorizationResourceTypeMismatch": "test_sas.py", "AuthorizationServiceMismatch": "test_sas.py",
    "AuthorizationSourceIPMismatch": "test_sas.py", "BlobArchived": "test_archive.py", "BlobBeingRehydrated": "test_archive.py", "BlobOverwritten": "test_error_codes.py", "BlobSnapshotNotSoftDeleted": "test_versions.py",
    "BlockCountExceedsLimit": "test_append.py", "CopyIdMismatch": "test_pending_copy.py", "CorsPreflightFailure": "test_doors.py",
    "ExceedsMaxBatchRequestCount": "test_batch.py", "ImmutabilityPolicyDeleteOnLockedPolicy": "test_retention.py",
    "InsufficientAccountPermissions": "test_doors.py", "InsufficientStorage": "test_damage.py", "InternalError": "test_damage.py",
    "InvalidAuthenticationInfo": "test_tokens.py", "InvalidInput": "test_batch.py", "InvalidUri": "test_bad_input.py",
    "MissingContentLengthHeader": "test_error_codes.py", "OperationNotAllowedOnRootBlob": "test_versions.py", "PendingCopyOperation": "test_pending_copy.py",
    "PermanentDeleteNotEnabled": "test_versions.py", "PreviousSnapshotCannotBeNewer": "test_pages.py", "ServerBusy": "test_hard_input.py",
    "SourceConditionNotMet": "test_copy.py", "UnauthorizedBlobOverwrite": "test_sas.py",
}
# What an error without a reason of its own would be called, of a kind that never is without one.
UNASKED = {"OperationTimedOut"}


def test_no_code_is_left_out():
    here = pathlib.Path(__file__).parent
    source = (here.parents[2] / "src/blob/http/errors.cc").read_text()
    emitted = set(re.findall(r', \d{3},\s+"(\w+)"\}', source)) | set(re.findall(r'return "(\w+)";', source))
    named = lambda code, file: (here / file).read_text().count(f'"{code}"') > (file == pathlib.Path(__file__).name)
    assert [code for code, file in ELSEWHERE.items() if not named(code, file)] == []
    assert len(emitted) > 80 and emitted == {row[0] for row in ROWS} | set(ELSEWHERE) | UNASKED
