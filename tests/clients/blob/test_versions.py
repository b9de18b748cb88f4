"""azure-storage-blob, unmodified: an account whose blobs keep versions and whose containers come back."""
import subprocess

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobSasPermissions, ContainerSasPermissions, RetentionPolicy, generate_blob_sas, generate_container_sas

from blob_support import own_hub, send, soon


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


@pytest.fixture(scope="module")
def hub(hub, tmp_path_factory):
    """A hub of its own, beside the one that all share."""
    with own_hub(hub, tmp_path_factory.mktemp("versions"), "storage: {versioning: true, deleted-containers: 48h}\n") as own:
        yield own


def versions(container, *include):
    return [(b.name, b.version_id, bool(b.is_current_version), bool(b.deleted))
            for b in container.list_blobs(include=["versions", *include])]


def test_every_write_makes_a_version(container):
    blob = container.get_blob_client("b")
    first = blob.upload_blob(b"one")["version_id"]
    second = blob.upload_blob(b"two", overwrite=True)["version_id"]
    third = blob.set_blob_metadata({"m": "1"})["version_id"]
    blob.stage_block("AAAA", b"four")
    fourth = blob.commit_block_list(["AAAA"])["version_id"]
    assert first and first < second < third < fourth
    assert versions(container) == [("b", first, False, False), ("b", second, False, False), ("b", third, False, False),
                                   ("b", fourth, True, False)]
    properties = blob.get_blob_properties()
    assert properties.version_id == fourth and properties.is_current_version
    old = container.get_blob_client("b", version_id=second)
    assert old.download_blob().readall() == b"two" and not old.get_blob_properties().is_current_version
    assert container.get_blob_client("b", version_id=third).get_blob_properties().metadata == {"m": "1"}
    assert blob.download_blob(version_id=first).readall() == b"one"
    assert blob.download_blob(version_id=fourth).readall() == b"four"
    assert code(lambda: blob.get_blob_properties(version_id="2020-01-01T00:00:00.0000000Z"))[0] == 404
    # Tags are a version's own, and finding is about the present.
    blob.set_blob_tags({"t": "old"}, version_id=first)
    assert blob.get_blob_tags(version_id=first) == {"t": "old"} and blob.get_blob_tags() == {}
    # Promoting one is copying it.
    blob.start_copy_from_url(f"{blob.url}?versionid={first}")
    assert blob.download_blob().readall() == b"one" and len(versions(container)) == 5
    assert [b.name for b in container.list_blobs()] == ["b"] and next(iter(container.list_blobs())).version_id is None


def test_versions_are_deleted(container):
    blob = container.get_blob_client("b")
    first = blob.upload_blob(b"one")["version_id"]
    second = blob.upload_blob(b"two", overwrite=True)["version_id"]
    assert code(lambda: blob.delete_blob(version_id=second)) == (403, "OperationNotAllowedOnRootBlob")
    blob.delete_blob()
    assert code(blob.get_blob_properties)[0] == 404
    assert versions(container) == [("b", first, False, False), ("b", second, False, False)]
    gone = list(container.list_blobs(include=["deletedwithversions"]))
    assert [(b.name, b.has_versions_only) for b in gone] == [("b", True)]
    blob.delete_blob(version_id=second)
    assert versions(container) == [("b", first, False, False)]
    assert code(lambda: blob.delete_blob(version_id=second)) == (404, "BlobNotFound")
    blob.start_copy_from_url(f"{blob.url}?versionid={first}")
    assert blob.download_blob().readall() == b"one"
    assert list(container.list_blobs(include=["deletedwithversions"]))[0].has_versions_only is None
    blob.delete_blob()
    for it in list(container.list_blobs(include=["versions"])):
        blob.delete_blob(version_id=it.version_id)
    assert versions(container) == [] and list(container.list_blobs(include=["deletedwithversions"])) == []


def test_a_deleted_version_is_kept_too(account, service, container):
    service.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=3))
    blob = container.get_blob_client("b")
    first = blob.upload_blob(b"one")["version_id"]
    blob.upload_blob(b"two", overwrite=True)
    blob.delete_blob(version_id=first)
    assert [(v[1] == first, v[2], v[3]) for v in versions(container, "deleted")] == [(True, False, True), (False, True, False)]
    assert code(lambda: blob.download_blob(version_id=first))[0] == 404
    blob.undelete_blob()
    assert blob.download_blob(version_id=first).readall() == b"one"
    # For good: where the account allows it, of what is softly deleted.
    target = f"/tests/b?versionid={first}&deletetype=permanent"
    answer = send(account, "DELETE", target)
    assert (answer.status, answer.code) == (409, "PermanentDeleteNotEnabled")
    body = (b"<StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled><Days>3</Days><AllowPermanentDelete>true"
            b"</AllowPermanentDelete></DeleteRetentionPolicy></StorageServiceProperties>")
    assert send(account, "PUT", "?restype=service&comp=properties", body).status == 202
    answer = send(account, "DELETE", target)
    assert (answer.status, answer.code) == (409, "BlobSnapshotNotSoftDeleted")
    answer = send(account, "DELETE", f"/tests/b?versionid={first}")
    assert (answer.status, answer.headers["x-ms-delete-type-permanent"]) == (202, "false")
    answer = send(account, "DELETE", target)
    assert (answer.status, answer.headers["x-ms-delete-type-permanent"]) == (202, "true")
    assert len(versions(container, "deleted")) == 1


def test_signatures(account, container):
    blob = container.get_blob_client("b")
    first = blob.upload_blob(b"one")["version_id"]
    blob.upload_blob(b"two", overwrite=True)

    def with_blob(letters):
        sas = generate_blob_sas(account.name, "tests", "b", account_key=account.key, expiry=soon(hours=1),
                                permission=BlobSasPermissions.from_string(letters))
        return account.client(credential=sas).get_blob_client("tests", "b")

    def with_container(letters):
        sas = generate_container_sas(account.name, "tests", account_key=account.key, expiry=soon(hours=1),
                                     permission=ContainerSasPermissions.from_string(letters))
        return account.client(credential=sas).get_blob_client("tests", "b")

    assert with_blob("r").download_blob().readall() == b"two"
    assert code(lambda: with_blob("r").download_blob(version_id=first))[0] == 403
    assert with_container("r").download_blob(version_id=first).readall() == b"one"
    assert code(lambda: with_container("rd").delete_blob(version_id=first)) == (403, "AuthorizationPermissionMismatch")
    with_container("x").delete_blob(version_id=first)
    assert code(lambda: with_container("r").create_snapshot()) == (403, "AuthorizationPermissionMismatch")
    assert with_container("c").create_snapshot()["snapshot"]


def test_a_deleted_container_comes_back(hub, service, container):
    container.upload_blob("b", b"one", tags={"t": "1"}).create_snapshot()
    container.delete_container()
    assert code(container.get_container_properties) == (404, "ContainerNotFound")
    assert list(service.list_containers()) == [] and list(service.find_blobs_by_tags("t='1'")) == []
    gone = next(iter(service.list_containers(include_deleted=True)))
    assert (gone.name, gone.deleted) == ("tests", True) and gone.version
    service.create_container("tests")
    assert code(lambda: service.undelete_container("tests", gone.version)) == (409, "ContainerAlreadyExists")
    service.delete_container("tests")
    assert len(list(service.list_containers(include_deleted=True))) == 2
    for bad in ("0000000000000001", "what", "-"):
        assert code(lambda: service.undelete_container("tests", bad)) == (404, "ContainerNotFound")
    hub.kill()  # what is kept outlives the process
    hub.start()
    service = type(service)(hub.blob_url + "/" + service.account_name, service.credential, retry_total=0)
    service.undelete_container("tests", gone.version)
    back = service.get_container_client("tests")
    assert back.download_blob("b").readall() == b"one"
    assert [bool(b.snapshot) for b in back.list_blobs(include=["snapshots"])] == [True, False]
    assert [b.name for b in service.find_blobs_by_tags("t='1'")] == ["b"]


def test_the_configuration_is_checked(hub, tmp_path):
    file = tmp_path / "hub.yaml"
    for text, said in (("storage: {versions: true}", "storage.versions: is not a known key"), ("storage: {deleted-containers: 9000h}", "8760h"),
                       ("storage: {accounts: {A: {versioning: true}}}", "lower-case"),
                       ("storage: {accounts: {site1: {versioning: maybe}}}", "versioning")):
        file.write_text(text)
        command = [hub.process.args[0], "--check", "--config", file, "--data", tmp_path / "data"]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert checked.returncode != 0 and said in checked.stderr, (text, checked.stderr)
    file.write_text("storage: {versioning: true, accounts: {site1: {versioning: false, deleted-containers: 1h}}}")
    assert subprocess.run(command, timeout=20).returncode == 0
