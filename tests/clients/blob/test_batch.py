"""Blob Batch by azure-storage-blob, and by hand where the client would never send such a thing."""
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import AccountSasPermissions, ContainerClient, ContainerSasPermissions, ResourceTypes, generate_account_sas, generate_container_sas
from azure.storage.blob import PartialBatchErrorException

from blob_support import send, signed_headers, soon


def names(container) -> list[str]:
    return [blob.name for blob in container.list_blobs()]


def test_delete_blobs(container):
    for i in range(256):
        container.upload_blob(f"dir/{i:03} ü", b"x")
    container.upload_blob("stays", b"x")
    answers = list(container.delete_blobs(*[f"dir/{i:03} ü" for i in range(256)]))
    assert [answer.status_code for answer in answers] == [202] * 256
    assert names(container) == ["stays"]


def test_one_more_than_the_most(container):
    container.upload_blob("b", b"x")
    with pytest.raises(HttpResponseError) as error:
        container.delete_blobs("b", *[f"no{i}" for i in range(256)])
    assert error.value.status_code == 400 and error.value.error_code == "ExceedsMaxBatchRequestCount"
    assert names(container) == ["b"]


def test_each_part_has_its_own_answer(container):
    container.upload_blob("a", b"x")
    container.upload_blob("z", b"x")
    with pytest.raises(PartialBatchErrorException) as error:
        container.delete_blobs("a", "missing", "z")
    parts = list(error.value.parts)
    assert [part.status_code for part in parts] == [202, 404, 202]
    assert parts[1].headers["x-ms-error-code"] == "BlobNotFound"
    assert parts[0].headers["x-ms-request-id"] != parts[1].headers["x-ms-request-id"]
    assert names(container) == []


def test_conditions_and_leases_of_parts(container):
    etag = container.upload_blob("a", b"x").get_blob_properties().etag
    lease = container.upload_blob("b", b"x").acquire_lease()
    answers = list(container.delete_blobs({"name": "a", "etag": '"0x1"'}, {"name": "b"}, raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [412, 412]
    assert answers[1].headers["x-ms-error-code"] == "LeaseIdMissing"
    answers = list(container.delete_blobs({"name": "a", "etag": etag}, {"name": "b", "lease_id": lease.id}))
    assert [answer.status_code for answer in answers] == [202, 202]


def test_set_tiers(container):
    for name in ("a", "b"):
        container.upload_blob(name, b"x")
    answers = list(container.set_standard_blob_tier_blobs("Cool", "a", "b"))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [blob.blob_tier for blob in container.list_blobs()] == ["Cool", "Cool"]


def test_signatures(account, container):
    for name in ("a", "b"):
        container.upload_blob(name, b"x")
    def by(permission):
        sas = generate_container_sas(account.name, "tests", account_key=account.key, expiry=soon(hours=1),
                                     permission=ContainerSasPermissions.from_string(permission))
        return ContainerClient(account.endpoint, "tests", credential=sas, retry_total=0)
    refused = list(by("rl").delete_blobs("a", "b", raise_on_any_failure=False))
    assert [(answer.status_code, answer.headers["x-ms-error-code"]) for answer in refused] == [(403, "AuthorizationPermissionMismatch")] * 2
    assert names(container) == ["a", "b"]
    by("d").delete_blobs("a")
    whole = generate_account_sas(account.name, account.key, ResourceTypes.from_string("sco"), AccountSasPermissions(delete=True), soon(hours=1))
    with account.client(credential=whole) as service:
        service.get_container_client("tests").delete_blobs("b")
    assert names(container) == []


def batch(account, requests: list[tuple[str, str, dict]], scope="/?comp=batch", sign=True):
    mark = f"batch_{uuid.uuid4()}"
    body = ""
    for method, target, headers in requests:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body += f"--{mark}\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\n{method} {target} HTTP/1.1\r\n{lines}\r\n\r\n"
    return send(account, "POST", scope, (body + f"--{mark}--\r\n").encode(), {"Content-Type": f"multipart/mixed; boundary={mark}"}, sign)


def test_the_batch_opens_no_part(account, container, hub):
    container.upload_blob("a", b"x")
    answer = batch(account, [("DELETE", "/tests/a", {})])
    assert answer.status == 202 and b"HTTP/1.1 401" in answer.body
    other = hub.create_account()
    target = f"/{other.name}/tests/a"
    answer = batch(account, [("DELETE", target, signed_headers(other, "DELETE", target, {}, 0))])
    assert b"HTTP/1.1 403" in answer.body or b"HTTP/1.1 404" in answer.body
    assert batch(account, [("DELETE", "/tests/a", {})], sign=False).status == 401
    assert names(container) == ["a"]


def test_both_forms_of_a_path(account, service, container):
    for name in ("a", "b"):
        container.upload_blob(name, b"x")
    parts = [("DELETE", target, signed_headers(account, "DELETE", target, {}, 0)) for target in (f"/{account.name}/tests/a", "/tests/b")]
    answer = batch(account, parts)
    assert answer.status == 202 and answer.body.count(b"HTTP/1.1 202") == 2, answer.body
    assert names(container) == []


def test_what_is_not_for_a_batch(account, service, container):
    container.upload_blob("a", b"x")
    service.create_container("other").upload_blob("a", b"x")
    def code(requests, scope="/?comp=batch"):
        answer = batch(account, requests, scope)
        assert answer.status == 400, answer.body
        return answer.code
    assert code([("GET", "/tests/a", {})]) == "InvalidInput"
    assert code([("DELETE", "/tests?restype=container", {})]) == "InvalidInput"
    assert code([("DELETE", "/other/a", {})], "/tests?restype=container&comp=batch") == "InvalidInput"
    assert code([("DELETE", "/tests/a", {}), ("PUT", "/tests/a?comp=tier", {})]) == "AllSubRequestsMustBeOfSameType"
    assert code([("POST", "/?comp=batch", {})]) == "InvalidInput"
    assert code([]) == "InvalidInput"
    large = send(account, "POST", "/?comp=batch", headers={"Content-Type": "multipart/mixed; boundary=b", "Expect": "100-continue"}, announce=(4 << 20) + 1)
    assert (large.status, large.code) == (413, "RequestBodyTooLarge")
    assert names(container) == ["a"]
