"""The calls that Storage Explorer makes when an account is attached, opened and walked through, as it sends them: the
JavaScript SDK's requests with every part of a listing asked for."""
import xml.etree.ElementTree as ET

import pytest

from blob_support import send

VERSION = {"x-ms-version": "2025-07-05", "User-Agent": "Microsoft Azure Storage Explorer, 1.40.0 azsdk-js-azure-storage-blob/12.28.0"}
EVERYTHING = "copy,deleted,metadata,snapshots,uncommittedblobs,versions,tags,immutabilitypolicy,legalhold,deletedwithversions"


def xml_of(answer) -> ET.Element:
    assert answer.status == 200 and answer.headers["content-type"] == "application/xml", answer.body
    return ET.fromstring(answer.body)


@pytest.mark.parametrize("path", ["/", "/tests", "/tests/b"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_account_info_at_every_address(account, container, path, method):
    container.upload_blob("b", b"x")
    answer = send(account, method, f"{path}?restype=account&comp=properties", headers=VERSION)
    assert answer.status == 200 and answer.body == b""
    assert answer.headers["x-ms-account-kind"] == "StorageV2" and answer.headers["x-ms-sku-name"].startswith("Standard_")
    assert answer.headers["x-ms-is-hns-enabled"] == "false" and answer.headers["x-ms-version"] == "2025-07-05"


def test_service_properties(account):
    root = xml_of(send(account, "GET", "/?restype=service&comp=properties", headers=VERSION))
    assert root.tag == "StorageServiceProperties"
    assert {"Logging", "HourMetrics", "MinuteMetrics", "Cors", "DeleteRetentionPolicy", "StaticWebsite"} <= {child.tag for child in root}


def test_containers_with_every_part(account, service, container):
    service.create_container("logs", metadata={"a": "1"})
    root = xml_of(send(account, "GET", "/?comp=list&maxresults=1000&include=metadata%2Cdeleted%2Csystem", headers=VERSION))
    assert [one.findtext("Name") for one in root.iter("Container")] == ["logs", "tests"]
    assert root.find("Containers/Container/Metadata/a").text == "1" and root.find("NextMarker") is not None
    for one in root.iter("Container"):
        properties = {child.tag for child in one.find("Properties")}
        assert {"Last-Modified", "Etag", "LeaseStatus", "LeaseState"} <= properties


def test_a_folder_with_every_part(account, container):
    for name in ("a.txt", "d/1", "d/2", "d/e/3"):
        container.upload_blob(name, name.encode(), metadata={"m": "1"}, tags={"t": "2"})
    query = f"restype=container&comp=list&delimiter=%2F&maxresults=5000&include={EVERYTHING.replace(',', '%2C')}"
    root = xml_of(send(account, "GET", f"/tests?{query}", headers=VERSION))
    assert [one.findtext("Name") for one in root.iter("BlobPrefix")] == ["d/"] and [one.findtext("Name") for one in root.iter("Blob")] == ["a.txt"]
    blob = root.find("Blobs/Blob")
    assert blob.findtext("Metadata/m") == "1" and blob.findtext("Tags/TagSet/Tag/Key") == "t" and blob.findtext("Tags/TagSet/Tag/Value") == "2"
    properties = {child.tag: child.text for child in blob.find("Properties")}
    assert {"Creation-Time", "Last-Modified", "Etag", "Content-Length", "Content-Type", "Content-MD5", "BlobType", "AccessTier", "LeaseStatus",
            "LeaseState", "ServerEncrypted", "TagCount"} <= set(properties)
    assert properties["Content-Length"] == "5" and not properties["Etag"].startswith('"')
    deeper = xml_of(send(account, "GET", f"/tests?{query}&prefix=d%2F", headers=VERSION))
    assert [one.findtext("Name") for one in deeper.iter("BlobPrefix")] == ["d/e/"] and [one.findtext("Name") for one in deeper.iter("Blob")] == ["d/1", "d/2"]
    assert deeper.findtext("Prefix") == "d/" and deeper.findtext("Delimiter") == "/" and deeper.findtext("MaxResults") == "5000"


def test_what_is_asked_of_one_container_and_blob(account, container):
    container.upload_blob("b", b"data")
    for path in ("/tests?restype=container", "/tests?restype=container&comp=acl"):
        answer = send(account, "GET", path, headers=VERSION)
        assert answer.status == 200 and answer.headers["etag"].startswith('"0x') and "last-modified" in answer.headers
    head = send(account, "HEAD", "/tests/b", headers=VERSION)
    assert head.status == 200 and head.headers["content-length"] == "4" and head.headers["x-ms-blob-type"] == "BlockBlob"
    assert {"x-ms-creation-time", "x-ms-lease-state", "x-ms-server-encrypted", "x-ms-access-tier", "accept-ranges"} <= set(head.headers)
    assert send(account, "GET", "/tests/b?comp=tags", headers=VERSION).status == 200
