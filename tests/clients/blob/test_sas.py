"""Shared access signatures made by azure-storage-blob, used through it and through curl."""
import base64
import hashlib
import hmac
import http.client
import subprocess
import urllib.parse

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import (AccountSasPermissions, BlobClient, BlobSasPermissions, ContainerClient, ContainerSasPermissions,
                                ResourceTypes, generate_account_sas, generate_blob_sas, generate_container_sas)

from blob_support import soon


def blob_sas(account, permission: str, blob="b", **options) -> str:
    options.setdefault("expiry", soon(hours=1))
    return generate_blob_sas(account.name, "tests", blob, account_key=account.key, permission=BlobSasPermissions.from_string(permission), **options)


def container_sas(account, permission: str, **options) -> str:
    return generate_container_sas(account.name, "tests", account_key=account.key, expiry=soon(hours=1),
                                  permission=ContainerSasPermissions.from_string(permission), **options)


def account_sas(account, permission: str, types="sco", **options) -> str:
    options.setdefault("expiry", soon(hours=1))
    return generate_account_sas(account.name, account.key, ResourceTypes.from_string(types),
                                AccountSasPermissions.from_string(permission), **options)


def blob_with(account, sas: str, name="b") -> BlobClient:
    return BlobClient(account.endpoint, "tests", name, credential=sas, retry_total=0)


def container_with(account, sas: str) -> ContainerClient:
    return ContainerClient(account.endpoint, "tests", credential=sas, retry_total=0)


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def test_blob_sas(account, container):
    container.upload_blob("b", b"data")
    container.upload_blob("other", b"other")
    reader = blob_with(account, blob_sas(account, "r"))
    assert reader.download_blob().readall() == b"data"
    assert code(lambda: reader.upload_blob(b"x", overwrite=True)) == (403, "AuthorizationPermissionMismatch")
    assert code(reader.delete_blob) == (403, "AuthorizationPermissionMismatch")
    assert code(blob_with(account, blob_sas(account, "r"), "other").download_blob) == (403, "AuthenticationFailed")
    writer = blob_with(account, blob_sas(account, "w"))
    writer.upload_blob(b"two", overwrite=True)
    assert code(writer.download_blob) == (403, "AuthorizationPermissionMismatch")
    blob_with(account, blob_sas(account, "d")).delete_blob()
    assert not container.get_blob_client("b").exists()


def test_create_permission_does_not_overwrite(account, container):
    creator = blob_with(account, blob_sas(account, "c"))
    creator.upload_blob(b"first")
    assert code(lambda: creator.upload_blob(b"second", overwrite=True)) == (403, "UnauthorizedBlobOverwrite")
    creator.stage_block("aaaa", b"x")
    assert code(lambda: creator.commit_block_list(["aaaa"])) == (403, "UnauthorizedBlobOverwrite")
    assert container.download_blob("b").readall() == b"first"


def test_container_sas(account, container):
    container.upload_blob("b", b"data")
    client = container_with(account, container_sas(account, "rl"))
    assert [b.name for b in client.list_blobs()] == ["b"] and client.download_blob("b").readall() == b"data"
    assert code(lambda: client.upload_blob("new", b"x")) == (403, "AuthorizationPermissionMismatch")
    assert code(client.delete_container)[0] == 403
    only_read = container_with(account, container_sas(account, "r"))
    assert code(lambda: list(only_read.list_blobs())) == (403, "AuthorizationPermissionMismatch")
    writer = container_with(account, container_sas(account, "rwdl"))
    writer.upload_blob("dir/new", b"new")
    writer.delete_blob("b")
    assert [b.name for b in writer.list_blobs()] == ["dir/new"]


def test_account_sas(account, container):
    container.upload_blob("b", b"data")
    with account.client(credential=account_sas(account, "rwdlac")) as service:
        made = service.create_container("made")
        made.upload_blob("x", b"1")
        assert sorted(c.name for c in service.list_containers()) == ["made", "tests"]
        service.delete_container("made")
    with account.client(credential=account_sas(account, "rl", "o")) as service:
        assert service.get_blob_client("tests", "b").download_blob().readall() == b"data"
        assert code(lambda: list(service.list_containers())) == (403, "AuthorizationResourceTypeMismatch")
        assert code(lambda: service.create_container("no"))[0] == 403
    with account.client(credential=account_sas(account, "rl", services="qf")) as service:
        assert code(lambda: list(service.list_containers())) == (403, "AuthorizationServiceMismatch")


def test_times(account, container):
    container.upload_blob("b", b"data")
    expired = blob_with(account, blob_sas(account, "r", expiry=soon(seconds=-1)))
    assert code(expired.download_blob) == (403, "AuthenticationFailed")
    early = blob_with(account, blob_sas(account, "r", start=soon(minutes=10)))
    assert code(early.download_blob) == (403, "AuthenticationFailed")
    with account.client(credential=account_sas(account, "rl", expiry=soon(seconds=-1))) as service:
        assert code(lambda: list(service.list_containers())) == (403, "AuthenticationFailed")


def test_addresses_and_protocols(account, container):
    container.upload_blob("b", b"data")
    assert blob_with(account, blob_sas(account, "r", ip="127.0.0.1")).download_blob().readall() == b"data"
    assert code(blob_with(account, blob_sas(account, "r", ip="10.0.0.1-10.0.0.9")).download_blob) == (403, "AuthorizationSourceIPMismatch")
    assert code(blob_with(account, blob_sas(account, "r", protocol="https")).download_blob) == (403, "AuthorizationProtocolMismatch")


@pytest.mark.parametrize("change", [("sp=r", "sp=rw"), ("sr=b", "sr=c"), ("se=2", "se=3"), ("sig=", "sig=A")])
def test_tampered(account, container, change):
    container.upload_blob("b", b"data")
    sas = blob_sas(account, "r")
    assert change[0] in sas
    assert code(blob_with(account, sas.replace(*change, 1)).download_blob) == (403, "AuthenticationFailed")


def test_response_headers_of_a_sas(account, container):
    container.upload_blob("b", b"data")
    sas = blob_sas(account, "r", content_type="text/x-own", content_disposition="attachment; filename=a.txt", cache_control="max-age=5")
    got = blob_with(account, sas).get_blob_properties()
    assert got.content_settings.content_type == "text/x-own"
    assert got.content_settings.content_disposition == "attachment; filename=a.txt"
    ranged = blob_with(account, sas).download_blob(offset=0, length=2, validate_content=True)
    assert ranged.readall() == b"da" and ranged.properties.content_settings.content_type == "text/x-own"


def test_wrong_account_key(account, container):
    sas = generate_blob_sas(account.name, "tests", "b", account_key="AAAA" * 22, permission="r", expiry=soon(hours=1))
    with pytest.raises(ClientAuthenticationError):
        blob_with(account, sas).download_blob()


def curl(*arguments: str) -> str:
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "20", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_curl(account, container, tmp_path):
    url = f"{account.endpoint}/tests/with%20space.txt?{blob_sas(account, 'rwd', 'with space.txt')}"
    file = tmp_path / "data"
    file.write_bytes(b"0123456789" * 100_000)
    status = curl("-T", str(file), "-H", "x-ms-blob-type: BlockBlob", "-w", "%{http_code}", url)
    assert status == "201"
    assert curl(url) == file.read_text()
    assert curl("-r", "10-14", "-w", " %{http_code}", url) == "01234 206"
    assert curl("-I", "-o", "/dev/null", "-w", "%{http_code} %header{content-length}", url).split()[0] == "200"
    assert curl("-X", "DELETE", "-w", "%{http_code}", url) == "202"
    assert "<Code>BlobNotFound</Code>" in curl(url)


def directory_sas(account, directory: str, depth: int, permission="r") -> str:
    """As the clients of the hierarchical namespace make it; azure-storage-blob has no maker of these."""
    expiry = soon(hours=1).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [permission, "", expiry, f"/blob/{account.name}/tests/{directory}", "", "", "", "2021-12-02", "d", "", "", "", "", "", "", ""]
    mac = hmac.new(base64.b64decode(account.key), "\n".join(lines).encode(), hashlib.sha256).digest()
    return urllib.parse.urlencode({"sv": "2021-12-02", "sr": "d", "sdd": depth, "sp": permission, "se": expiry, "sig": base64.b64encode(mac).decode()})


def test_directory_sas(account, container):
    for name in ("a/b/c", "a/b/d/e", "a/x", "a/bb/c"):
        container.upload_blob(name, name.encode())
    sas = directory_sas(account, "a/b", 2)
    for name in ("a/b/c", "a/b/d/e"):
        assert blob_with(account, sas, name).download_blob().readall() == name.encode()
    for name in ("a/x", "a/bb/c"):
        assert code(blob_with(account, sas, name).download_blob) == (403, "AuthenticationFailed")
    assert code(lambda: blob_with(account, sas, "a/b/c").upload_blob(b"x", overwrite=True)) == (403, "AuthorizationPermissionMismatch")
    for depth in ("1", "3", "0", "x"):
        assert code(blob_with(account, sas.replace("sdd=2", f"sdd={depth}"), "a/b/c").download_blob)[0] in (400, 403)


def test_signature_of_a_snapshot_opens_nothing_else(account, container):
    container.upload_blob("b", b"data")
    sas = blob_sas(account, "r", snapshot="2026-01-01T00:00:00.0000000Z")
    assert code(blob_with(account, sas).download_blob)[0] == 403
    plain = urllib.parse.urlsplit(account.endpoint)
    connection = http.client.HTTPConnection(plain.netloc, timeout=20)
    connection.request("GET", f"{plain.path}/tests/b?snapshot=2027-01-01T00%3A00%3A00.0000000Z&{sas}")
    assert connection.getresponse().status == 403
    connection.close()


def signed(key: str, query: dict, lines: list[str]) -> str:
    """The query with its signature: the client itself makes the newest version alone."""
    mac = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256).digest()
    return urllib.parse.urlencode(query | {"sig": base64.b64encode(mac).decode()})


def later() -> str:
    return soon(hours=1).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("version", ["2015-04-05", "2018-03-28", "2018-11-09", "2020-10-02", "2020-12-06", "2022-11-02", "2026-04-06"])
def test_service_sas_of_every_version(account, container, version):
    """By the documented string-to-sign of each."""
    container.upload_blob("b", b"data")
    q = {"sp": "r", "se": later(), "sip": "127.0.0.1", "spr": "https,http", "sv": version, "sr": "b", "rsct": "text/x-own"}
    lines = [q["sp"], "", q["se"], f"/blob/{account.name}/tests/b", "", q["sip"], q["spr"], version]
    lines += (["b", ""] if version >= "2018-11-09" else []) + ([""] if version >= "2020-12-06" else []) + [""] * 4 + [q["rsct"]]
    sas = signed(account.key, q, lines)
    got = blob_with(account, sas).download_blob()
    assert got.readall() == b"data" and got.properties.content_settings.content_type == "text/x-own"
    assert code(lambda: blob_with(account, sas).upload_blob(b"x", overwrite=True)) == (403, "AuthorizationPermissionMismatch")
    other = "2018-11-09" if version < "2018-11-09" or version >= "2020-12-06" else "2020-12-06"
    assert code(blob_with(account, sas.replace(version, other)).download_blob) == (403, "AuthenticationFailed")


@pytest.mark.parametrize("version", ["2015-04-05", "2018-11-09", "2020-12-06", "2026-04-06"])
def test_account_sas_of_every_version(account, container, version):
    q = {"sp": "rl", "ss": "b", "srt": "sco", "se": later(), "sv": version}
    lines = [account.name, q["sp"], q["ss"], q["srt"], "", q["se"], "", "", version] + ([""] if version >= "2020-12-06" else []) + [""]
    sas = signed(account.key, q, lines)
    with account.client(credential=sas) as service:
        assert [c.name for c in service.list_containers()] == ["tests"]
        assert code(lambda: service.create_container("no")) == (403, "AuthorizationPermissionMismatch")
    with account.client(credential=sas.replace("srt=sco", "srt=so")) as service:
        assert code(lambda: list(service.list_containers())) == (403, "AuthenticationFailed")
