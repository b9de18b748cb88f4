"""azure-storage-blob, unmodified: blobs found by their tags, and conditions on tags."""
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import AccountSasPermissions, ContainerSasPermissions, ResourceTypes, generate_account_sas, generate_container_sas

from blob_support import send, soon


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def test_find(service, container):
    other = service.get_container_client("others")
    other.create_container()
    for number in range(7):
        container.upload_blob(f"n/{number} ü", b"x", tags={"site": "north", "rank": f"{number:03}", "x/y": "1"})
    other.upload_blob("south", b"x", tags={"site": "south", "rank": "003"})
    other.upload_blob("plain", b"x")

    def names(found) -> list[tuple[str, str]]:
        return [(b.container_name, b.name) for b in found]

    north = [("tests", f"n/{number} ü") for number in range(7)]
    assert names(service.find_blobs_by_tags("\"site\"='north'")) == north
    assert names(service.find_blobs_by_tags("\"site\"='north'", results_per_page=2)) == north
    assert names(service.find_blobs_by_tags("rank >= '003' AND rank < '005'")) == [("tests", "n/3 ü"), ("others", "south"), ("tests", "n/4 ü")]
    assert names(service.find_blobs_by_tags("rank = '003' AND @container = 'others'")) == [("others", "south")]
    assert names(container.find_blobs_by_tags("rank = '003' AND site = 'north'")) == [("tests", "n/3 ü")]
    assert names(other.find_blobs_by_tags("site = 'north'")) == []
    found = next(iter(service.find_blobs_by_tags("rank = '003' AND site = 'south'")))
    assert found.tags == {"rank": "003", "site": "south"}
    pages = list(service.find_blobs_by_tags("site='north'", results_per_page=3).by_page())
    assert [len(list(page)) for page in pages] == [3, 3, 1]

    container.get_blob_client("n/3 ü").set_blob_tags({"site": "south"})
    container.delete_blob("n/0 ü")
    container.upload_blob("n/1 ü", b"untagged", overwrite=True)
    assert names(container.find_blobs_by_tags("site = 'north'")) == [("tests", f"n/{n} ü") for n in (2, 4, 5, 6)]
    assert names(service.find_blobs_by_tags("site = 'south'")) == [("tests", "n/3 ü"), ("others", "south")]
    service.delete_container("others")
    assert names(service.find_blobs_by_tags("site = 'south'")) == [("tests", "n/3 ü")]


def test_bad_queries(account, service, container):
    for where in ("site", "site='x", "site='a' OR site='b'", "site <> 'a'", "site='a' AND site='b'", "@container='tests'", "@other='x'",
                  " AND ".join(f"k{n}='v'" for n in range(11))):
        assert code(lambda: list(service.find_blobs_by_tags(where))) == (400, "InvalidQueryParameterValue"), where
    assert code(lambda: list(service.get_container_client("none").find_blobs_by_tags("a='b'"))) == (404, "ContainerNotFound")
    answer = send(account, "GET", "/?comp=blobs")
    assert (answer.status, answer.code) == (400, "MissingRequiredQueryParameter")
    for query in ("marker=x", "maxresults=0", "maxresults=no"):
        answer = send(account, "GET", f"/?comp=blobs&where=a%3D%27b%27&{query}")
        assert (answer.status, answer.code) == (400, "InvalidQueryParameterValue"), query


def test_find_with_signatures(account, container):
    container.upload_blob("b", b"x", tags={"k": "v"})
    for permission, fits in (({"filter_by_tags": True}, True), ({"read": True, "list": True}, False)):
        sas = generate_account_sas(account.name, account.key, ResourceTypes(service=True, container=True), AccountSasPermissions(**permission), soon(hours=1))
        inner = generate_container_sas(account.name, "tests", account.key, permission=ContainerSasPermissions(**permission), expiry=soon(hours=1))
        finds = [lambda: [b.name for b in account.client(sas).find_blobs_by_tags("k='v'")],
                 lambda: [b.name for b in account.client(inner).get_container_client("tests").find_blobs_by_tags("k='v'")]]
        for find in finds:
            if fits:
                assert find() == ["b"]
            else:
                assert code(find) == (403, "AuthorizationPermissionMismatch")


def test_conditions(account, container):
    blob = container.upload_blob("b", b"data", tags={"state": "raw", "rank": "5"})
    assert blob.download_blob(if_tags_match_condition="state='raw' AND rank<='5'").readall() == b"data"
    for miss in ("state='done'", "\"state\" <> 'raw'", "none='x' OR rank>'5'"):
        assert code(lambda: blob.download_blob(if_tags_match_condition=miss)) == (412, "ConditionNotMet"), miss
        assert code(lambda: blob.upload_blob(b"new", overwrite=True, if_tags_match_condition=miss)) == (412, "ConditionNotMet"), miss
        assert code(lambda: blob.set_blob_metadata({"a": "b"}, if_tags_match_condition=miss)) == (412, "ConditionNotMet"), miss
        assert code(lambda: blob.set_blob_tags({"a": "b"}, if_tags_match_condition=miss)) == (412, "ConditionNotMet"), miss
        assert code(lambda: blob.delete_blob(if_tags_match_condition=miss)) == (412, "ConditionNotMet"), miss
    assert code(lambda: blob.download_blob(if_tags_match_condition="state=")) == (400, "InvalidHeaderValue")
    assert code(lambda: container.get_blob_client("none").upload_blob(b"x", overwrite=True, if_tags_match_condition="a='b'")) == (412, "ConditionNotMet")
    blob.set_blob_tags({"state": "done"}, if_tags_match_condition="(state='raw' OR state='half') AND rank='5'")
    blob.delete_blob(if_tags_match_condition="state='done'")
    assert not blob.exists()


def test_a_condition_on_tags_needs_their_permission(account, container):
    container.upload_blob("b", b"x", tags={"k": "v"})
    for permission, wanted in (({"read": True}, 403), ({"read": True, "tag": True}, 200)):
        sas = generate_container_sas(account.name, "tests", account.key, permission=ContainerSasPermissions(**permission), expiry=soon(hours=1))
        answer = send(account, "GET", f"/tests/b?{sas}", headers={"x-ms-if-tags": "k='v'"}, sign=False)
        assert answer.status == wanted, answer.body
    answer = send(account, "GET", "/tests?restype=container", headers={"x-ms-if-tags": "k='v'"})
    assert (answer.status, answer.code) == (501, "NotImplemented")
