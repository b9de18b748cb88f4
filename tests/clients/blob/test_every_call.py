"""Every public call of azure-storage-blob's clients, once each: what is served works, what is not is refused by the right code.
A call that the installed client offers and no row names fails the last test."""
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (BlobBlock, BlobClient, BlobLeaseClient, BlobServiceClient, ContainerClient, ContentSettings, ImmutabilityPolicy,
                                generate_blob_sas)

from blob_support import soon

PAGE = b"p" * 512


class Stage:
    """What a row may use: a container with a blob of each type."""
    def __init__(self, account, service, container):
        self.account, self.service, self.container = account, service, container
        self.blob = container.upload_blob("block", b"0123456789", metadata={"k": "v"}, tags={"t": "1"})
        self.log = container.get_blob_client("log")
        self.log.create_append_blob()
        self.disk = container.get_blob_client("disk")
        self.disk.create_page_blob(1024)
        self.new = container.get_blob_client("new")

    @property
    def url(self) -> str:
        return self.blob.url + "?" + generate_blob_sas(self.account.name, "tests", "block", account_key=self.account.key, permission="r", expiry=soon(hours=1))

    def text(self, blob) -> bytes:
        return blob.download_blob().readall()


@pytest.fixture
def stage(account, service, container):
    return Stage(account, service, container)


def block_list(s):
    s.new.stage_block("aaaa", b"ab")
    s.new.stage_block_from_url("bbbb", s.url, source_offset=3, source_length=2)
    assert [block.size for block in s.new.get_block_list("uncommitted")[1]] == [2, 2]
    s.new.commit_block_list([BlobBlock("aaaa"), BlobBlock("bbbb")])
    return s.text(s.new) == b"ab34"


def appended(s):
    s.log.append_block(b"ab")
    s.log.append_block_from_url(s.url, source_offset=0, source_length=3)
    return s.text(s.log) == b"ab012"


def lease(s):
    held = s.blob.acquire_lease(15)
    held.renew()
    held.change("c0ffee00-0000-0000-0000-000000000001")
    held.release()
    other = s.container.acquire_lease()
    return other.break_lease(0) == 0 and BlobLeaseClient(s.blob).acquire(15) is None


def metadata(s):
    s.blob.set_blob_metadata({"a": "b"})
    s.blob.set_http_headers(ContentSettings(content_type="text/x"))
    return s.blob.get_blob_properties().metadata == {"a": "b"}


def copied(s):
    s.new.start_copy_from_url(s.blob.url)
    return s.text(s.new) == b"0123456789" and s.new.get_blob_properties().copy.status == "success"


def pages(s):
    s.disk.upload_page(PAGE, 0, 512)
    s.disk.upload_page(PAGE, 512, 512)
    s.disk.clear_page(0, 512)
    return [(page.start, page.end) for page in s.disk.list_page_ranges()] == [(512, 1023)]


def pages_from_url(s):
    source = s.container.upload_blob("pages", PAGE)
    sas = generate_blob_sas(s.account.name, "tests", "pages", account_key=s.account.key, permission="r", expiry=soon(hours=1))
    s.disk.upload_pages_from_url(f"{source.url}?{sas}", 0, 512, 0)
    return s.disk.download_blob(offset=0, length=512).readall() == PAGE


def stats(s):
    credential = {"account_name": s.account.name, "account_key": s.account.key}
    # The client asks the second host, and keeps the path.
    with BlobServiceClient(s.account.endpoint + "-secondary", credential, secondary_hostname=s.account.endpoint.split("/")[2]) as service:
        return service.get_service_stats()["geo_replication"]["status"] == "live"


def snapshot(s):
    taken = s.blob.create_snapshot()["snapshot"]
    s.blob.upload_blob(b"new", overwrite=True)
    return s.text(s.container.get_blob_client("block", snapshot=taken)) == b"0123456789"


def undelete_blob(s):
    s.service.set_service_properties(delete_retention_policy={"enabled": True, "days": 1})
    s.blob.delete_blob()
    s.blob.undelete_blob()
    return s.text(s.blob) == b"0123456789"


SERVED = {  # row: (the calls that it shows, what is done)
    "account": ("get_account_information", lambda s: {c.get_account_information()["account_kind"] for c in (s.service, s.container, s.blob)} == {"StorageV2"}),
    "service properties": ("get_service_properties set_service_properties", lambda s: (s.service.set_service_properties(target_version="2021-08-06"),
                           s.service.get_service_properties()["target_version"] == "2021-08-06")[1]),
    "containers": ("create_container list_containers delete_container", lambda s: (s.service.create_container("two"), s.service.delete_container("two"),
                   [c.name for c in s.service.list_containers()] == ["tests"])[2]),
    "container properties": ("get_container_properties set_container_metadata", lambda s: (s.container.set_container_metadata({"a": "b"}),
                             s.container.get_container_properties().metadata == {"a": "b"})[1]),
    "container policy": ("get_container_access_policy set_container_access_policy", lambda s: (s.container.set_container_access_policy({}, public_access="blob"),
                         s.container.get_container_access_policy()["public_access"] == "blob")[1]),
    "exists": ("exists", lambda s: s.container.exists() and s.blob.exists() and not s.new.exists()),
    "listing": ("list_blobs", lambda s: [b.name for b in s.container.list_blobs()] == ["block", "disk", "log"]),
    "names": ("list_blob_names", lambda s: list(s.container.list_blob_names()) == ["block", "disk", "log"]),
    "walk": ("walk_blobs", lambda s: (s.container.upload_blob("d/x", b""), "d/" in [b.name for b in s.container.walk_blobs()])[1]),
    "upload": ("upload_blob download_blob", lambda s: (s.new.upload_blob(b"abc"), s.text(s.new) == b"abc")[1]),
    "upload by container": ("upload_blob delete_blob", lambda s: (s.container.upload_blob("x", b"1"), s.container.delete_blob("x"), not s.container.get_blob_client("x").exists())[2]),
    "upload from URL": ("upload_blob_from_url", lambda s: (s.new.upload_blob_from_url(s.url), s.text(s.new) == b"0123456789")[1]),
    "blocks": ("stage_block stage_block_from_url get_block_list commit_block_list", block_list),
    "append": ("create_append_blob append_block append_block_from_url", appended),
    "seal": ("seal_append_blob", lambda s: s.log.seal_append_blob()["blob_sealed"] is True),
    "metadata": ("set_blob_metadata set_http_headers get_blob_properties", metadata),
    "copy": ("start_copy_from_url", copied), "lease": ("acquire_lease acquire renew change release break_lease", lease),
    "tags": ("get_blob_tags set_blob_tags", lambda s: (s.blob.set_blob_tags({"n": "2"}), s.blob.get_blob_tags() == {"n": "2"})[1]),
    "finding": ("find_blobs_by_tags", lambda s: [b.name for c in (s.service, s.container) for b in c.find_blobs_by_tags("\"t\"='1'")] == ["block", "block"]),
    "tier": ("set_standard_blob_tier", lambda s: (s.blob.set_standard_blob_tier("Cool"), s.blob.get_blob_properties().blob_tier == "Cool")[1]),
    "pages": ("create_page_blob upload_page clear_page list_page_ranges get_page_ranges", pages), "pages from URL": ("upload_pages_from_url", pages_from_url),
    "resize": ("resize_blob set_sequence_number", lambda s: (s.disk.resize_blob(512), s.disk.set_sequence_number("update", "7"),
               s.disk.get_blob_properties().page_blob_sequence_number == 7)[2]),
    "batch delete": ("delete_blobs", lambda s: [part.status_code for part in s.container.delete_blobs("block", "log")] == [202, 202]),
    "batch tiers": ("set_standard_blob_tier_blobs", lambda s: [part.status_code for part in s.container.set_standard_blob_tier_blobs("Cool", "block")] == [200]),
    # The batch is served; the tier of its part is not one of this server's.
    "premium tiers": ("set_premium_page_blob_tier_blobs", lambda s: [part.status_code for part in s.container.set_premium_page_blob_tier_blobs(
                      "P10", "disk", raise_on_any_failure=False)] == [400]),
    "hold": ("set_legal_hold", lambda s: (s.blob.set_legal_hold(True)["legal_hold"], s.blob.set_legal_hold(False)["legal_hold"]) == (True, False)),
    "immutability": ("set_immutability_policy delete_immutability_policy", lambda s: (s.blob.set_immutability_policy(
        ImmutabilityPolicy(expiry_time=soon(seconds=30), policy_mode="Unlocked"))["immutability_policy_mode"] == "unlocked",
        s.blob.delete_immutability_policy())[0]),
    "page range diff": ("get_page_range_diff_for_managed_disk", lambda s: s.disk.get_page_range_diff_for_managed_disk(
        f"{s.disk.url}?snapshot={s.disk.create_snapshot()['snapshot']}") == ([], [])),
    "stats": ("get_service_stats", stats),
    "snapshot": ("create_snapshot", snapshot), "undelete": ("undelete_blob", undelete_blob),
}
REFUSED = {  # row: (the calls, what is done, how it is refused)
    "abort": ("abort_copy", lambda s: s.blob.abort_copy("c0ffee00-0000-0000-0000-000000000001"), (409, "NoPendingCopyOperation")),
    "copy from elsewhere": ("start_copy_from_url", lambda s: s.new.start_copy_from_url("http://127.0.0.1:1/x"), (403, "CannotVerifyCopySource")),
    "copy of nothing": ("start_copy_from_url", lambda s: s.new.start_copy_from_url(s.new.url + "x"), (404, "CannotVerifyCopySource")),
    "query": ("query_blob", lambda s: s.blob.query_blob("SELECT * from BlobStorage").readall(), (501, "NotImplemented")),
    "undelete container": ("undelete_container", lambda s: s.service.undelete_container("gone", "01D60F8BB59A4652"), (404, "ContainerNotFound")),
    "premium tier": ("set_premium_page_blob_tier", lambda s: s.disk.set_premium_page_blob_tier("P10"), (400, "InvalidHeaderValue")),
}
# Need TLS and a token, or call nothing.
ELSEWHERE = {"get_user_delegation_key"}
LOCAL = {"close", "from_connection_string", "from_container_url", "from_blob_url", "get_blob_client", "get_container_client", "api_version", "location_mode",
         "primary_endpoint", "primary_hostname", "secondary_endpoint", "secondary_hostname", "url"}


@pytest.mark.parametrize("row", SERVED)
def test_served(stage, row):
    assert SERVED[row][1](stage)


@pytest.mark.parametrize("row", REFUSED)
def test_refused(stage, row):
    _, call, answer = REFUSED[row]
    with pytest.raises(HttpResponseError) as error:
        call(stage)
    assert (error.value.status_code, error.value.response.headers["x-ms-error-code"]) == answer


def test_no_call_is_left_out():
    offered = {name for client in (BlobServiceClient, ContainerClient, BlobClient, BlobLeaseClient) for name in dir(client) if not name.startswith("_")}
    named = {call for calls, *_ in [*SERVED.values(), *REFUSED.values()] for call in calls.split()}
    assert offered - named - ELSEWHERE - LOCAL == set()
