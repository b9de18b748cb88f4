"""The holdfast program's nouns of the hub: devices, twins, deployments, data assets, the registry."""
import json
import urllib.request

import pytest
from test_cli import CONFLICT, NOT_FOUND, USAGE, Up


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    running = Up(tmp_path_factory.mktemp("up"))
    yield running
    running("down")


def test_devices_and_modules(up):
    made = up.json("device", "create", "press-07", "--edge-enabled", "--keys")
    assert made["capabilities"]["iotEdge"] and len(made["authentication"]["symmetricKey"]["primaryKey"]) > 40
    assert "symmetricKey" not in up("device", "show", "press-07", "-o", "json").stdout
    assert [device["deviceId"] for device in up.json("device", "list")] == ["press-07", "this-machine"]
    up("module", "create", "press-07", "filter")
    assert {module["moduleId"] for module in up.json("module", "list", "press-07")} == {"$edgeAgent", "$edgeHub", "filter"}
    assert up("device", "create", "press-07", code=CONFLICT).stderr.startswith("holdfast: ")
    assert "nobody" in up("device", "show", "nobody", code=NOT_FOUND).stderr
    up("module", "delete", "press-07", "filter", code=USAGE)  # it asks first
    up("module", "delete", "press-07", "filter", "--yes")
    up("module", "show", "press-07", "filter", code=NOT_FOUND)
    assert up.json("device", "watch", "press-07") == []


def test_twins_and_deployments(up, tmp_path):
    up("device", "create", "press-08", "--edge-enabled")
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps({"tags": {"site": "north"}, "properties": {"desired": {"interval": 5}}}))
    up("twin", "update", "press-08", "--file", patch)
    twin = up.json("twin", "show", "press-08")
    assert twin["tags"] == {"site": "north"} and twin["properties"]["desired"]["interval"] == 5
    manifest = tmp_path / "manifest.json"
    module = {"type": "model", "version": "1", "status": "running", "restartPolicy": "always", "settings": {"image": "models/digits@sha256:0"}}
    manifest.write_text(json.dumps({"modulesContent": {"$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {"digits": module}}}}}))
    up("deployment", "apply", "press-08", "--file", manifest)
    assert up.json("deployment", "show", "press-08") == [
        {"module": "digits", "type": "model", "image": "models/digits@sha256:0", "wanted": "running", "state": "", "description": ""}]
    patch.write_text("[]")
    assert "not a JSON object" in up("twin", "update", "press-08", "--file", patch, code=1).stderr
    up("method", "run", "press-08", "ping", "--payload", "{", code=USAGE)
    assert up("method", "run", "press-08", "ping", code=NOT_FOUND).stderr  # it is not connected


def test_data_assets(up, tmp_path):
    up("storage", "container", "create", "--account", "site1", "sets")
    for name in ("a", "b"):
        (tmp_path / name).write_text(name * 1000)
        up("storage", "blob", "upload", "--account", "site1", "--container", "sets", tmp_path / name)
    first = up.json("data", "create", "letters", "--container", "sets")
    assert (first["version"], first["files"], first["bytes"]) == ("1", 2, 2000)
    assert up.json("data", "create", "letters", "--container", "sets")["version"] == "1"
    (tmp_path / "a").write_text("changed")
    up("storage", "blob", "upload", "--account", "site1", "--container", "sets", tmp_path / "a", "--yes")
    assert up.json("data", "create", "letters", "--container", "sets")["version"] == "2"
    assert [version["version"] for version in up.json("data", "list", "letters")] == ["2", "1"]
    up("data", "download", "letters", "--version", "1", "--to", tmp_path / "out")
    assert (tmp_path / "out/a").read_text() == "a" * 1000 and (tmp_path / "out/b").read_text() == "b" * 1000
    assert [file["path"] for file in up.json("data", "show", "letters")["manifest"]] == ["a", "b"]
    up("data", "delete", "letters", "--version", "1", "--yes")
    up("data", "show", "letters", "--version", "1", code=NOT_FOUND)
    assert "gone" in up("data", "create", "letters", "--container", "gone", code=NOT_FOUND).stderr


def test_the_registry(up):
    assert up.json("registry", "list") == []
    token = (up.data / "hub/token").read_text().strip()
    request = urllib.request.Request(f"http://{up.run()['http']}/api/v1/registry/models/digits/1", b"not really a model", {"Authorization": f"Bearer {token}"}, method="PUT")
    urllib.request.urlopen(request, timeout=60).read()
    assert up.json("registry", "list") == [{"repository": "models/digits"}]
    assert {row["tag"] for row in up.json("registry", "list", "models/digits")} == {"1", "latest"}
    assert len(up.json("registry", "show", "models/digits", "1")["layers"]) == 2
    assert up("registry", "show", "models/digits", "7", code=NOT_FOUND).stderr
