"""User delegation keys and the signatures made with them, by the unmodified client."""
import base64
import hashlib
import hmac
import os
import pathlib
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, ContainerClient, generate_blob_sas, generate_container_sas

from blob_support import soon
from token_support import CONTRIBUTOR, READER, FixedCredential, site, tls_hub  # noqa: F401

REFUSED, WRONG = (403, "AuthorizationPermissionMismatch"), (403, "AuthenticationFailed")


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def key_of(hub, account, credential, **options):
    with hub.blobs(account, credential) as service:
        return service.get_user_delegation_key(soon(minutes=-5), soon(hours=2), **options)


def blob_sas(account, key, permission="r", blob="b", **options) -> str:
    return generate_blob_sas(account.name, "tests", blob, user_delegation_key=key, permission=permission, expiry=soon(hours=1), **options)


def blob_with(account, sas: str, name="b") -> BlobClient:
    return BlobClient(account.endpoint, "tests", name, credential=sas, retry_total=0)


def test_signatures_by_key(tls_hub, site):  # noqa: F811
    application = tls_hub.application(CONTRIBUTOR)
    key = key_of(tls_hub, site, tls_hub.login(application))
    assert (key.signed_oid, key.signed_tid, key.signed_service) == (application["client_id"], application["tenant_id"], "b")
    reader = blob_with(site, blob_sas(site, key))
    assert reader.download_blob().readall() == b"data"  # over plain HTTP too: a signature is no token
    assert code(lambda: reader.upload_blob(b"x", overwrite=True)) == REFUSED
    assert code(blob_with(site, blob_sas(site, key), "other").download_blob) == WRONG
    blob_with(site, blob_sas(site, key, "cw", "new"), "new").upload_blob(b"new")
    listing = generate_container_sas(site.name, "tests", user_delegation_key=key, permission="rl", expiry=soon(hours=1))
    assert [b.name for b in ContainerClient(site.endpoint, "tests", credential=listing, retry_total=0).list_blobs()] == ["b", "new"]
    assert blob_with(site, blob_sas(site, key, content_type="text/own")).get_blob_properties().content_settings.content_type == "text/own"
    for field in ("skoid", "sktid", "skt", "ske", "skv", "sp"):
        query = dict(urllib.parse.parse_qsl(blob_sas(site, key)))
        query[field] = {"skt": "2020-01-01T00:00:00Z", "ske": "2030-01-01T00:00:00Z", "skv": "2020-02-10", "sp": "rw"}.get(field, "x")
        assert code(blob_with(site, urllib.parse.urlencode(query)).download_blob) == WRONG
    other = tls_hub.create_account()
    with other.client() as client:
        client.create_container("tests").upload_blob("b", b"other")
    assert code(blob_with(other, blob_sas(other, key)).download_blob) == WRONG


def test_no_wider_than_the_role(tls_hub, site):  # noqa: F811
    key = key_of(tls_hub, site, tls_hub.login(tls_hub.application(READER)))
    blob = blob_with(site, blob_sas(site, key, "rwd"))
    assert blob.download_blob().readall() == b"data"
    assert code(lambda: blob.upload_blob(b"x", overwrite=True)) == REFUSED and code(blob.delete_blob) == REFUSED


def test_revoked(tls_hub, site):  # noqa: F811
    application = tls_hub.application(READER)
    key = key_of(tls_hub, site, tls_hub.login(application))
    admin = key_of(tls_hub, site, FixedCredential((tls_hub.data / "token").read_text().strip()))
    assert blob_with(site, blob_sas(site, key)).download_blob().readall() == blob_with(site, blob_sas(site, admin)).download_blob().readall()
    tls_hub.revoke(application)
    assert code(blob_with(site, blob_sas(site, key)).download_blob) == WRONG
    assert blob_with(site, blob_sas(site, admin)).download_blob().readall() == b"data"
    assert tls_hub.api("POST", f"/api/v1/storage/accounts/{site.name}/delegation-keys/revoke")[0] == 204
    assert code(blob_with(site, blob_sas(site, admin)).download_blob) == WRONG


def test_who_gets_a_key(tls_hub, site):  # noqa: F811
    with site.client() as client:
        assert code(lambda: client.get_user_delegation_key(soon(), soon(hours=1))) == REFUSED
    with tls_hub.with_role(READER, site) as client:
        for start, end in ((soon(), soon(days=9)), (soon(hours=-2), soon(hours=-1)), (soon(hours=2), soon(hours=1))):
            assert code(lambda: client.get_user_delegation_key(start, end))[0] == 400


VERSIONS = ["2018-11-09", "2020-02-10", "2020-12-06", "2025-07-05", "2026-04-06"]


def signed(account, key, version: str, more: dict, srh="", srq="") -> str:
    """By the documented string-to-sign of each version; the client itself makes the newest alone."""
    names = {"skoid": key.signed_oid, "sktid": key.signed_tid, "skt": key.signed_start, "ske": key.signed_expiry, "sks": "b", "skv": key.signed_version}
    q = {"sp": "r", "se": soon(hours=1).strftime("%Y-%m-%dT%H:%M:%SZ"), "sv": version, "sr": "b"} | names | more
    order = ["skoid", "sktid", "skt", "ske", "sks", "skv"]
    order += ["saoid", "suoid", "scid"] if version >= "2020-02-10" else []
    order += ["skdutid", "sduoid"] if version >= "2025-07-05" else []
    order += ["sip", "spr", "sv", "sr", "snapshot"] + (["ses"] if version >= "2020-12-06" else [])
    path = "a/b" if q["sr"] == "d" else "a/b/c"
    lines = [q["sp"], "", q["se"], f"/blob/{account.name}/tests/{path}"] + [q.get(n, "") for n in order]
    lines += ([srh, srq] if version >= "2026-04-06" else []) + [""] * 5
    mac = hmac.new(base64.b64decode(key.value), "\n".join(lines).encode(), hashlib.sha256).digest()
    return urllib.parse.urlencode(q | {"sig": base64.b64encode(mac).decode()})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version(tls_hub, site, version):  # noqa: F811
    with site.client() as client:
        client.get_blob_client("tests", "a/b/c").upload_blob(b"deep")
    key = key_of(tls_hub, site, tls_hub.login(tls_hub.application(READER)))
    agent = {"saoid": key.signed_oid, "scid": "7b0e1f9c-0000-4000-8000-000000000001"} if version >= "2020-02-10" else {}
    assert blob_with(site, signed(site, key, version, agent), "a/b/c").download_blob().readall() == b"deep"
    if version >= "2020-02-10":
        assert blob_with(site, signed(site, key, version, {"sr": "d", "sdd": "2"}), "a/b/c").download_blob().readall() == b"deep"
        assert code(blob_with(site, signed(site, key, version, {"suoid": "someone"}), "a/b/c").download_blob) == REFUSED
    if version >= "2026-04-06":
        sas = signed(site, key, version, {"srh": "x-own", "srq": "other"}, srh="x-own:mine\n", srq="\nother:too")
        url = f"{site.endpoint}/tests/a/b/c?{sas}"
        assert urllib.request.urlopen(urllib.request.Request(f"{url}&other=too", headers={"x-own": "mine"}), timeout=20).read() == b"deep"
        for query, header in (("too", "yours"), ("two", "mine")):
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(urllib.request.Request(f"{url}&other={query}", headers={"x-own": header}), timeout=20)
            assert error.value.code == 403


def test_for_one_user_alone(tls_hub, site):  # noqa: F811
    user, other = tls_hub.application(READER), tls_hub.application(READER)
    key = key_of(tls_hub, site, tls_hub.login(tls_hub.application(READER)), delegated_user_tid=user["tenant_id"])
    sas = blob_sas(site, key, user_delegation_oid=user["client_id"])
    url = f"https://{tls_hub.run['blob-https']}/{site.name}/tests/b?{sas}"
    options = {"connection_verify": tls_hub.ca, "retry_total": 0}
    assert BlobClient.from_blob_url(url, credential=tls_hub.login(user), **options).download_blob().readall() == b"data"
    assert code(BlobClient.from_blob_url(url, credential=tls_hub.login(other), **options).download_blob) == WRONG
    assert code(BlobClient.from_blob_url(url, **options).download_blob) == WRONG


def test_the_javascript_client(tls_hub, site):  # noqa: F811
    here = pathlib.Path(__file__).parent
    environment = os.environ | {"NODE_PATH": str(here.parents[2] / ".deps/js/node_modules"), "NODE_EXTRA_CA_CERTS": tls_hub.ca,
                                "TOKEN": tls_hub.login(tls_hub.application(READER)).get_token("https://storage.azure.com/.default").token,
                                "SERVICE": f"https://{tls_hub.run['blob-https']}/{site.name}"}
    run = subprocess.run([here.parents[2] / ".deps/venv/bin/node", here / "js/delegation.cjs"], env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
