"""azure-storage-blob, unmodified: expiry, immutability policies and legal holds."""
import datetime
import email.utils
import time

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobSasPermissions, ImmutabilityPolicy, generate_blob_sas

from blob_support import send, soon


def code(call) -> tuple[int, str]:
    """From the answer: the client has no name of its own for some."""
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.response.headers["x-ms-error-code"]


def whole(time: datetime.datetime) -> datetime.datetime:
    return time.replace(microsecond=0)


def test_expiry(account, container):
    blob = container.upload_blob("b", b"data")
    gone = container.upload_blob("gone", b"data")
    before = blob.get_blob_properties()
    # The client has the call, though only its data lake sibling gives it a name.
    set_expiry = lambda client, option, at=None: client._client.blob.set_expiry(option, expires_on=at)
    set_expiry(gone, "RelativeToNow", "1")
    deadline = time.monotonic() + 10
    while gone.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(ResourceNotFoundError):
        gone.download_blob()
    assert [b.name for b in container.list_blobs()] == ["b"]
    gone.upload_blob(b"again")
    assert gone.download_blob().readall() == b"again"

    at = whole(soon(hours=2))
    set_expiry(blob, "Absolute", email.utils.format_datetime(at, usegmt=True))
    answer = send(account, "HEAD", "/tests/b")
    assert answer.headers["x-ms-expiry-time"] == email.utils.format_datetime(at, usegmt=True)
    assert b"<Expiry-Time>" in send(account, "GET", "/tests?restype=container&comp=list").body
    assert blob.get_blob_properties().etag != before.etag
    set_expiry(blob, "RelativeToCreation", str(3600 * 1000))
    set_expiry(blob, "NeverExpire")
    assert "x-ms-expiry-time" not in send(account, "HEAD", "/tests/b").headers
    headers = {"x-ms-blob-type": "BlockBlob", "x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": "60000"}
    assert send(account, "PUT", "/tests/new", b"x", headers).status == 201
    assert "x-ms-expiry-time" in send(account, "GET", "/tests/new").headers


@pytest.mark.parametrize("headers, wanted", [
    ({}, "MissingRequiredHeader"), ({"x-ms-expiry-option": "Sometimes"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "RelativeToNow"}, "MissingRequiredHeader"),
    ({"x-ms-expiry-option": "NeverExpire", "x-ms-expiry-time": "1"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": "-1"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": "9223372036854775807"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": "99999999999999999999"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "Absolute", "x-ms-expiry-time": "Sun, 06 Nov 1994 08:49:37 GMT"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "Absolute", "x-ms-expiry-time": "Sun, 06 Nov 9994 08:49:37 GMT"}, "InvalidHeaderValue"),
    ({"x-ms-expiry-option": "Absolute", "x-ms-expiry-time": "tomorrow"}, "InvalidHeaderValue")])
def test_bad_expiry(account, container, headers, wanted):
    container.upload_blob("b", b"data")
    answer = send(account, "PUT", "/tests/b?comp=expiry", headers=headers)
    assert (answer.status, answer.code) == (400, wanted)


def refused(blob) -> set[tuple[int, str]]:
    """What each way to change the blob answers."""
    ways = [lambda: blob.upload_blob(b"new", overwrite=True), blob.delete_blob, lambda: blob.set_blob_metadata({"a": "b"}),
            lambda: blob.commit_block_list([]), lambda: blob.set_http_headers(), lambda: blob.start_copy_from_url(blob.url),
            lambda: blob._client.blob.set_expiry("NeverExpire")]
    return {code(way) for way in ways}


def test_immutability_policy(account, container):
    blob = container.upload_blob("b", b"data")
    until = whole(soon(seconds=30))
    answer = blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(hours=5), policy_mode="Unlocked"))
    assert answer["immutability_policy_mode"] == "unlocked"
    blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=until, policy_mode="Unlocked"))
    policy = blob.get_blob_properties().immutability_policy
    assert (policy.policy_mode, policy.expiry_time) == ("unlocked", until)
    assert refused(blob) == {(409, "BlobImmutableDueToPolicy")} and blob.download_blob().readall() == b"data"
    assert code(container.delete_container) == (409, "BlobImmutableDueToPolicy")
    listed = next(iter(container.list_blobs(include=["immutabilitypolicy", "legalhold"])))
    assert listed.immutability_policy.policy_mode == "unlocked" and not listed.has_legal_hold
    blob.set_blob_tags({"still": "allowed"})
    blob.delete_immutability_policy()
    assert not blob.get_blob_properties().immutability_policy.policy_mode
    blob.upload_blob(b"new", overwrite=True)

    blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=whole(soon(hours=1)), policy_mode="Locked"))
    assert code(blob.delete_immutability_policy) == (409, "ImmutabilityPolicyDeleteOnLockedPolicy")
    assert code(lambda: blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=until, policy_mode="Locked"))) == (409, "BlobImmutableDueToPolicy")
    assert code(lambda: blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(hours=2), policy_mode="Unlocked"))) == (409, "BlobImmutableDueToPolicy")
    blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(hours=2), policy_mode="Locked"))
    assert code(lambda: blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(hours=-2), policy_mode="Locked"))) == (400, "InvalidHeaderValue")
    assert code(blob.delete_blob) == (409, "BlobImmutableDueToPolicy")
    assert code(lambda: container.get_blob_client("none").set_immutability_policy(
        ImmutabilityPolicy(expiry_time=until, policy_mode="Unlocked"))) == (404, "BlobNotFound")
    answer = send(account, "PUT", "/tests/b?comp=immutabilityPolicies", headers={"x-ms-immutability-policy-mode": "Open"})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")
    assert send(account, "PUT", "/tests/b?comp=immutabilityPolicies").code == "MissingRequiredHeader"


def test_legal_hold(account, container):
    blob = container.upload_blob("b", b"data")
    assert blob.set_legal_hold(True)["legal_hold"] is True
    assert blob.get_blob_properties().has_legal_hold
    assert next(iter(container.list_blobs(include=["legalhold"]))).has_legal_hold
    assert refused(blob) == {(409, "BlobImmutableDueToLegalHold")} and blob.download_blob().readall() == b"data"
    assert blob.set_legal_hold(False)["legal_hold"] is False
    blob.delete_blob()
    assert send(account, "PUT", "/tests/b?comp=legalhold", headers={"x-ms-legal-hold": "maybe"}).code == "InvalidHeaderValue"
    assert code(lambda: blob.set_legal_hold(True)) == (404, "BlobNotFound")


def test_made_so(account, container):
    policy = ImmutabilityPolicy(expiry_time=whole(soon(hours=1)), policy_mode="Unlocked")
    kept = container.upload_blob("kept", b"data", immutability_policy=policy, legal_hold=True)
    properties = kept.get_blob_properties()
    assert properties.has_legal_hold and properties.immutability_policy.expiry_time == policy.expiry_time
    log, disk = container.get_blob_client("log"), container.get_blob_client("disk")
    log.create_append_blob(immutability_policy=policy)
    assert code(lambda: log.append_block(b"x")) == (409, "BlobImmutableDueToPolicy")
    disk.create_page_blob(512, legal_hold=True)
    assert code(lambda: disk.upload_page(b"x" * 512, 0, 512)) == (409, "BlobImmutableDueToLegalHold")
    for permission, status in (({"write": True}, 403), ({"write": True, "set_immutability_policy": True}, 201)):
        sas = generate_blob_sas(account.name, "tests", "new", account_key=account.key, permission=BlobSasPermissions(**permission), expiry=soon(hours=1))
        answer = send(account, "PUT", f"/tests/new?{sas}", b"x", {"x-ms-blob-type": "BlockBlob", "x-ms-legal-hold": "true"}, sign=False)
        assert answer.status == status, answer.body


def test_snapshots_are_kept_too(account, container):
    blob = container.upload_blob("b", b"data")
    snapshot = blob.create_snapshot()["snapshot"]
    taken = container.get_blob_client("b", snapshot=snapshot)
    hold = lambda value: send(account, "PUT", f"/tests/b?comp=legalhold&snapshot={snapshot}", headers={"x-ms-legal-hold": value}).status
    assert hold("true") == 200
    assert taken.get_blob_properties().has_legal_hold and not blob.get_blob_properties().has_legal_hold
    assert code(taken.delete_blob) == (409, "BlobImmutableDueToLegalHold")
    assert code(lambda: blob.delete_blob(delete_snapshots="include")) == (409, "BlobImmutableDueToLegalHold")
    assert code(container.delete_container) == (409, "BlobImmutableDueToPolicy")
    blob.upload_blob(b"new", overwrite=True)
    assert taken.download_blob().readall() == b"data" and hold("false") == 200
    blob.delete_blob(delete_snapshots="include")
