"""azure-storage-blob, unmodified: stored access policies and public containers."""
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (AccessPolicy, BlobClient, BlobServiceClient, ContainerClient, ContainerSasPermissions, PublicAccess,
                                generate_account_sas, generate_blob_sas, generate_container_sas)

from blob_support import soon


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def policy(permission: str | None = "rl", **after) -> AccessPolicy:
    return AccessPolicy(permission=permission and ContainerSasPermissions.from_string(permission), start=soon(minutes=-5), expiry=soon(**after))


def container_with(account, **options) -> ContainerClient:
    sas = generate_container_sas(account.name, "tests", account_key=account.key, **options)
    return ContainerClient(account.endpoint, "tests", credential=sas, retry_total=0)


def test_policies_are_kept(container):
    assert container.get_container_access_policy() == {"public_access": None, "signed_identifiers": []}
    before = container.get_container_properties().etag
    container.set_container_access_policy({"read & list": policy(hours=1), "empty": AccessPolicy()})
    assert container.get_container_properties().etag != before
    kept = {one.id: one.access_policy for one in container.get_container_access_policy()["signed_identifiers"]}
    assert list(kept) == ["read & list", "empty"] and kept["read & list"].permission == "rl" and kept["read & list"].start
    container.set_container_access_policy({})
    assert container.get_container_access_policy()["signed_identifiers"] == []


def test_a_signature_by_policy(account, container):
    container.upload_blob("b", b"data")
    container.set_container_access_policy({"reader": policy(hours=1)})
    reader = container_with(account, policy_id="reader")
    assert reader.download_blob("b").readall() == b"data" and [b.name for b in reader.list_blobs()] == ["b"]
    assert code(lambda: reader.upload_blob("new", b"x")) == (403, "AuthorizationPermissionMismatch")
    sas = generate_blob_sas(account.name, "tests", "b", account_key=account.key, policy_id="reader")
    one = BlobClient(account.endpoint, "tests", "b", credential=sas, retry_total=0)
    assert one.download_blob().readall() == b"data"
    # A policy is how a signature is taken back.
    container.set_container_access_policy({"reader": policy(seconds=-1)})
    assert code(lambda: reader.download_blob("b")) == (403, "AuthenticationFailed")
    container.set_container_access_policy({})
    assert code(one.download_blob) == (403, "AuthenticationFailed")


def test_a_policy_and_fields_of_the_signature(account, container):
    container.upload_blob("b", b"data")
    container.set_container_access_policy({"times": policy(None, hours=1), "rights": AccessPolicy(permission="r")})
    assert container_with(account, policy_id="times", permission="r").download_blob("b").readall() == b"data"
    assert container_with(account, policy_id="rights", expiry=soon(hours=1)).download_blob("b").readall() == b"data"
    both = container_with(account, policy_id="times", permission="r", expiry=soon(hours=1))
    assert code(lambda: both.download_blob("b")) == (403, "AuthenticationFailed")
    assert code(lambda: container_with(account, policy_id="none", permission="r", expiry=soon(hours=1)).download_blob("b")) == (403, "AuthenticationFailed")


def test_public_containers(account, service, container):
    container.upload_blob("b", b"data")
    anyone = ContainerClient(account.endpoint, "tests", retry_total=0)
    assert code(lambda: anyone.download_blob("b")) == (401, "NoAuthenticationInformation")
    container.set_container_access_policy({}, public_access=PublicAccess.BLOB)
    assert container.get_container_properties().public_access == "blob"
    assert anyone.download_blob("b").readall() == b"data" and anyone.get_blob_client("b").get_blob_properties().size == 4
    assert code(lambda: list(anyone.list_blobs()))[0] == 401 and code(anyone.get_container_properties)[0] == 401
    container.set_container_access_policy({}, public_access=PublicAccess.CONTAINER)
    assert [b.name for b in anyone.list_blobs()] == ["b"] and anyone.get_container_properties().public_access == "container"
    for denied in (lambda: anyone.upload_blob("new", b"x"), lambda: anyone.delete_blob("b"), anyone.get_container_access_policy,
                   lambda: list(BlobServiceClient(account.endpoint, retry_total=0).list_containers())):
        assert code(denied)[0] == 401
    assert [c.public_access for c in service.list_containers()] == ["container"]
    container.set_container_access_policy({})
    assert code(lambda: anyone.download_blob("b"))[0] == 401


def test_public_from_the_start(account, service):
    made = service.create_container("open", public_access="blob")
    made.upload_blob("b", b"data")
    assert BlobClient(account.endpoint, "open", "b").download_blob().readall() == b"data"


def test_at_most_five(container):
    six = {str(n): policy(hours=1) for n in range(6)}
    with pytest.raises((HttpResponseError, ValueError)):
        container.set_container_access_policy(six)


def test_the_key_alone_sets_access(account, container):
    sas = generate_account_sas(account.name, account.key, "sco", "rwdlac", soon(hours=1))
    with account.client(credential=sas) as service:
        assert code(lambda: service.get_container_client("tests").set_container_access_policy({}))[0] == 403
