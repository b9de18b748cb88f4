"""azure-storage-blob, unmodified: leases of blobs and containers."""
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def test_of_a_blob(container):
    blob = container.upload_blob("b", b"one")
    lease = blob.acquire_lease(lease_duration=60)
    held = lease.id
    properties = blob.get_blob_properties()
    assert (properties.lease.state, properties.lease.status, properties.lease.duration) == ("leased", "locked", "fixed")
    assert [(b.lease.state, b.lease.duration) for b in container.list_blobs()] == [("leased", "fixed")]
    assert code(lambda: blob.upload_blob(b"two", overwrite=True)) == (412, "LeaseIdMissing")
    assert code(lambda: blob.upload_blob(b"two", overwrite=True, lease=str(uuid.uuid4()))) == (412, "LeaseIdMismatchWithBlobOperation")
    assert code(lambda: blob.set_blob_metadata({"a": "1"})) == (412, "LeaseIdMissing")
    assert code(lambda: blob.stage_block("aaaa", b"x")) == (412, "LeaseIdMissing")
    assert code(blob.delete_blob) == (412, "LeaseIdMissing")
    assert code(blob.acquire_lease) == (409, "LeaseAlreadyPresent")
    assert blob.download_blob().readall() == b"one" and blob.download_blob(lease=lease).readall() == b"one"
    assert code(lambda: blob.download_blob(lease=str(uuid.uuid4()))) == (412, "LeaseIdMismatchWithBlobOperation")
    blob.upload_blob(b"two", overwrite=True, lease=lease)
    blob.set_blob_metadata({"a": "1"}, lease=lease)
    lease.renew()
    lease.release()
    assert blob.get_blob_properties().lease.state == "available"
    assert code(lambda: blob.delete_blob(lease=held)) == (412, "LeaseNotPresentWithBlobOperation")
    blob.delete_blob()


def test_change_and_break(container):
    blob = container.upload_blob("b", b"one")
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    lease = blob.acquire_lease(lease_id=first)
    assert lease.id == first and blob.get_blob_properties().lease.duration == "infinite"
    assert blob.acquire_lease(lease_id=first).id == first
    lease.change(second)
    assert lease.id == second
    assert code(lambda: BlobLeaseClient(blob, first).renew()) == (409, "LeaseIdMismatchWithLeaseOperation")
    assert lease.break_lease(lease_break_period=60) in range(50, 61)
    assert blob.get_blob_properties().lease.state == "breaking"
    assert code(lambda: lease.change(first)) == (409, "LeaseIsBreakingAndCannotBeChanged")
    assert code(lambda: blob.acquire_lease(lease_id=second)) == (409, "LeaseIsBreakingAndCannotBeAcquired")
    assert code(lease.renew) == (409, "LeaseIsBrokenAndCannotBeRenewed")
    assert lease.break_lease(lease_break_period=0) == 0
    assert blob.get_blob_properties().lease.state == "broken"
    blob.upload_blob(b"two", overwrite=True)
    assert blob.get_blob_properties().lease.state == "available"
    assert code(lease.break_lease) == (409, "LeaseNotPresentWithLeaseOperation")


@pytest.mark.parametrize("duration", [0, 14, 61, -2])
def test_bad_durations(container, duration):
    blob = container.upload_blob("b", b"one")
    assert code(lambda: blob.acquire_lease(lease_duration=duration)) == (400, "InvalidHeaderValue")


def test_of_a_container(service, container):
    lease = container.acquire_lease(lease_duration=-1)
    properties = container.get_container_properties()
    assert (properties.lease.state, properties.lease.status, properties.lease.duration) == ("leased", "locked", "infinite")
    assert [c.lease.state for c in service.list_containers()] == ["leased"]
    assert code(container.delete_container) == (412, "LeaseIdMissing")
    assert code(lambda: container.delete_container(lease=str(uuid.uuid4()))) == (412, "LeaseIdMismatchWithContainerOperation")
    assert code(lambda: container.get_container_properties(lease=str(uuid.uuid4()))) == (412, "LeaseIdMismatchWithContainerOperation")
    container.upload_blob("b", b"a container's lease is not its blobs'")
    container.set_container_metadata({"a": "1"}, lease=lease)
    container.delete_container(lease=lease)
    assert not container.exists()


def test_survives_a_restart(hub, account, container):
    blob = container.upload_blob("b", b"one")
    lease = blob.acquire_lease()
    hub.kill()
    hub.start()
    account.endpoint = f"{hub.blob_url}/{account.name}"
    with account.client() as service:
        again = service.get_blob_client("tests", "b")
        assert code(again.delete_blob) == (412, "LeaseIdMissing")
        again.delete_blob(lease=lease.id)
