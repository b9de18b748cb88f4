"""azure-iot-hub (the service SDK), unmodified, over HTTPS with the hub's own CA: registry, twins, methods, deployments."""
import queue

import pytest
from azure.iot.device import MethodResponse
from azure.iot.hub import IoTHubConfigurationManager, IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, ConfigurationContent, Twin, TwinProperties
from iot_support import IotHub, wait_until
from msrest.exceptions import HttpOperationError


@pytest.fixture(scope="module")
def iot(tmp_path_factory):
    hub = IotHub(tmp_path_factory.mktemp("iot")).start()
    yield hub
    assert hub.stop() == 0, (hub.folder / "hub.log").read_text()


@pytest.fixture
def registry(iot, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(iot.data / "pki/ca.crt"))
    return IoTHubRegistryManager.from_connection_string(iot.connection_string())


def status_of(error) -> int:
    return error.value.response.status_code


def test_devices(registry):
    made = registry.create_device_with_sas("d1", "", "", "enabled")
    assert made.device_id == "d1" and made.status == "enabled" and len(made.authentication.symmetric_key.primary_key) == 44
    with pytest.raises(HttpOperationError) as error:
        registry.create_device_with_sas("d1", "", "", "enabled")
    assert status_of(error) == 409
    keys = made.authentication.symmetric_key
    with pytest.raises(HttpOperationError) as error:
        registry.update_device_with_sas("d1", "stale", keys.primary_key, keys.secondary_key, "disabled")
    assert status_of(error) == 412
    off = registry.update_device_with_sas("d1", made.etag, keys.primary_key, keys.secondary_key, "disabled", status_reason="broken")
    assert off.status == "disabled" and off.status_reason == "broken" and off.etag != made.etag
    registry.create_device_with_sas("d2", "", "", "enabled", iot_edge=True)
    assert {m.module_id for m in registry.get_modules("d2")} == {"$edgeAgent", "$edgeHub"}
    assert [d.device_id for d in registry.get_devices(10)] == ["d1", "d2"]
    assert registry.get_device_registry_statistics().total_device_count == 2
    registry.delete_device("d1")
    with pytest.raises(HttpOperationError) as error:
        registry.get_device("d1")
    assert status_of(error) == 404
    registry.delete_device("d2", registry.get_device("d2").etag)


def test_modules(registry):
    registry.create_device_with_sas("host", "", "", "enabled")
    made = registry.create_module_with_sas("host", "m", "me", "", "")
    assert made.managed_by == "me"
    keys = made.authentication.symmetric_key
    changed = registry.update_module_with_sas("host", "m", "you", made.etag, keys.primary_key, keys.secondary_key)
    assert changed.managed_by == "you"
    assert registry.get_module("host", "m").etag == changed.etag
    registry.delete_module("host", "m")
    assert registry.get_modules("host") == []


def test_twins(registry):
    registry.create_device_with_sas("t", "", "", "enabled")
    twin = registry.get_twin("t")
    assert twin.properties.desired["$version"] == 1 and twin.connection_state == "Disconnected"
    changed = registry.update_twin("t", Twin(tags={"site": "north"}, properties=TwinProperties(desired={"a": 1})), twin.etag)
    assert changed.tags == {"site": "north"} and changed.properties.desired["a"] == 1
    assert changed.properties.desired["$metadata"]["a"]["$lastUpdatedVersion"] == 2
    with pytest.raises(HttpOperationError) as error:
        registry.update_twin("t", Twin(tags={"site": "south"}), twin.etag)
    assert status_of(error) == 412
    replaced = registry.replace_twin("t", Twin(properties=TwinProperties(desired={"b": 2})))
    assert "a" not in replaced.properties.desired and replaced.properties.desired["b"] == 2 and replaced.tags in (None, {})


def test_method(iot, registry):
    key = registry.create_device_with_sas("called", "", "", "enabled").authentication.symmetric_key.primary_key
    device = iot.device("called", key)
    device.connect()
    try:
        def answer(request):
            device.send_method_response(MethodResponse.create_from_method_request(request, 200, {"got": request.payload}))
        device.on_method_request_received = answer
        call = CloudToDeviceMethod(method_name="go", payload={"x": 1}, response_timeout_in_seconds=20, connect_timeout_in_seconds=20)
        got = registry.invoke_device_method("called", call)
        assert got.status == 200 and got.payload == {"got": {"x": 1}}
    finally:
        device.shutdown()
    wait_until("disconnect", 20, lambda: registry.get_twin("called").connection_state == "Disconnected")
    with pytest.raises(HttpOperationError) as error:
        registry.invoke_device_method("called", CloudToDeviceMethod(method_name="go"))
    assert status_of(error) == 404


def test_deployment(iot, registry):
    registry.create_device_with_sas("edge", "", "", "enabled", iot_edge=True)
    agent = {m.module_id: m for m in registry.get_modules("edge")}["$edgeAgent"]
    client = iot.module("edge/$edgeAgent", agent.authentication.symmetric_key.primary_key)
    client.connect()
    patches: queue.Queue = queue.Queue()
    client.on_twin_desired_properties_patch_received = patches.put
    try:
        desired = {"schemaVersion": "1.1", "modules": {"filter": {"type": "docker", "settings": {"image": "filter:1"}}}}
        content = {"$edgeAgent": {"properties.desired": desired}, "$edgeHub": {"properties.desired": {"routes": {}}},
                   "filter": {"properties.desired": {"threshold": 5}}}
        configurations = IoTHubConfigurationManager.from_connection_string(iot.connection_string())
        configurations.apply_configuration_on_edge_device("edge", ConfigurationContent(modules_content=content))
        assert patches.get(timeout=20)["modules"] == desired["modules"]
        assert {m.module_id: m.managed_by for m in registry.get_modules("edge")}["filter"] == "IotEdge"
        assert registry.get_module_twin("edge", "filter").properties.desired["threshold"] == 5
        client.patch_twin_reported_properties({"lastDesiredVersion": 2})
        assert registry.get_module_twin("edge", "$edgeAgent").properties.reported["lastDesiredVersion"] == 2
    finally:
        client.shutdown()


def test_wrong_policy_key(iot, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(iot.data / "pki/ca.crt"))
    text = iot.connection_string().rsplit("SharedAccessKey=", 1)[0] + "SharedAccessKey=" + "A" * 43 + "="
    with pytest.raises(HttpOperationError) as error:
        IoTHubRegistryManager.from_connection_string(text).get_devices()
    assert status_of(error) == 401
