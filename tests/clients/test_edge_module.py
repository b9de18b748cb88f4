"""A module of the user's own on the unmodified azure-iot-device: file event in, file and message out, over restarts."""
import os
import pathlib
import signal
import subprocess

import pytest
from azure.iot.device import IoTHubModuleClient
from azure.iot.device.exceptions import CredentialError
from conftest import BIN
from edge_support import DEVICE, ROOT, ModuleEdge, ModuleHub
from iot_support import wait_until


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = ModuleHub(tmp_path_factory.mktemp("hub")).start()
    yield hub
    assert hub.stop() == 0


@pytest.fixture(scope="module")
def edge(hub, tmp_path_factory):
    edge = ModuleEdge(tmp_path_factory.mktemp("edge"), hub).start()
    hub.deploy({"upper": edge.process_module()})
    wait_until("running module", 60, lambda: hub.module_state().get("runtimeStatus") == "running")
    yield edge
    assert edge.stop() == 0, edge.logs()


def pids_of(edge: ModuleEdge, program: bytes = str(ROOT / "examples/module/uppercase.py").encode()) -> list[int]:
    """The module's processes: children of the edge that run the example, or another program."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == edge.process.pid and program in words:
            found.append(int(folder.name))
    return found


def environment_of(edge: ModuleEdge, program: bytes) -> list[str]:
    (pid,) = pids_of(edge, program)
    return pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0")


def arrived(hub: ModuleHub, name: str) -> bool:
    return any(result["path"] == name for result in hub.results())


def test_a_file_goes_through_the_module_and_a_message_upstream(hub, edge):
    edge.drop("first.txt", "first light")
    wait_until("transformed file", 60, lambda: edge.made("first.txt") == "FIRST LIGHT")
    wait_until("message upstream", 60, lambda: arrived(hub, "first.txt"))
    message = next(each for each in hub.telemetry(DEVICE) if "first.txt" in each["body"])
    assert message["moduleId"] == "upper" and message["systemProperties"]["on"] == "results"
    assert message["systemProperties"]["ct"] == "application/json"
    # The cloud share uploads what the module wrote.
    blob = edge.account.client().get_container_client("ready").get_blob_client("first.txt")
    wait_until("blob", 60, blob.exists)
    assert blob.download_blob().readall() == b"FIRST LIGHT"


def test_what_is_reported(hub, edge):
    state = hub.module_state()
    assert state["runtimeStatus"] == "running" and state["status"] == "running" and state["restartPolicy"] == "always"
    def client() -> dict:
        return hub.reported(f"{DEVICE}/$edgeHub").get("clients", {}).get(f"{DEVICE}/upper", {})
    wait_until("connected client in $edgeHub's reported properties", 60, lambda: client().get("status") == "Connected")
    assert hub.reported(f"{DEVICE}/$edgeHub")["lastDesiredStatus"]["code"] == 200
    assert hub.reported(f"{DEVICE}/$edgeAgent")["lastDesiredStatus"]["code"] == 200


def test_the_hub_is_away_for_a_while_and_nothing_is_lost(hub, edge):
    hub.stop()
    names = [f"away-{number}.txt" for number in range(20)]
    for name in names:
        edge.drop(name, name)
    for name in names:
        wait_until("transformed file without a hub", 60, lambda: edge.made(name) == name.upper())
    hub.start()
    wait_until("all messages", 120, lambda: set(names) <= {result["path"] for result in hub.results()})


def test_a_killed_module_is_restarted_and_reported(hub, edge):
    before = hub.module_state()["restartCount"]
    (pid,) = pids_of(edge)
    os.kill(pid, signal.SIGKILL)
    edge.drop("meanwhile.txt", "meanwhile")  # its event waits for the next life
    wait_until("reported end", 60, lambda: hub.module_state()["exitCode"] == 128 + signal.SIGKILL)
    wait_until("restart", 120, lambda: hub.module_state()["restartCount"] == before + 1 and hub.module_state()["runtimeStatus"] == "running")
    assert pids_of(edge) not in ([], [pid])
    wait_until("transformed file", 60, lambda: edge.made("meanwhile.txt") == "MEANWHILE")
    wait_until("message upstream", 60, lambda: arrived(hub, "meanwhile.txt"))


def test_a_module_leaves_with_its_deployment(hub, edge):
    hub.deploy({}, {})
    wait_until("end of the process", 60, lambda: pids_of(edge) == [])
    wait_until("empty report", 60, lambda: hub.module_state() == {})
    hub.deploy({"upper": edge.process_module()})
    wait_until("running module", 60, lambda: len(pids_of(edge)) == 1)
    edge.drop("again.txt", "again")
    wait_until("transformed file", 60, lambda: edge.made("again.txt") == "AGAIN")


def test_a_twin_works_through_the_broker_also_without_the_hub(hub, edge, monkeypatch):
    asleep = {**edge.process_module(), "settings": {"command": ["/bin/sleep", "1000000"]}}
    hub.deploy({"upper": edge.process_module(), "asleep": asleep})
    wait_until("running module", 60, lambda: hub.module_state("asleep").get("runtimeStatus") == "running")
    for pair in environment_of(edge, b"/bin/sleep"):
        if pair.startswith("Edge"):
            monkeypatch.setenv(*pair.split("=", 1))
    client = IoTHubModuleClient.create_from_edge_environment()
    patches: list[dict] = []
    client.on_twin_desired_properties_patch_received = patches.append
    client.connect()
    try:
        hub.patch_desired(f"{DEVICE}/asleep", {"threshold": 7})
        wait_until("desired patch", 60, lambda: any(patch.get("threshold") == 7 for patch in patches))
        client.patch_twin_reported_properties({"seen": 7})
        wait_until("reported property", 60, lambda: hub.reported(f"{DEVICE}/asleep") == {"seen": 7})
        hub.stop()
        assert client.get_twin()["desired"]["threshold"] == 7
        client.patch_twin_reported_properties({"seen": 8})
        hub.start()
        wait_until("reported property after the hub is back", 60, lambda: hub.reported(f"{DEVICE}/asleep") == {"seen": 8})
        hub.patch_desired(f"{DEVICE}/asleep", {"threshold": 9})
        wait_until("desired patch after the hub is back", 60, lambda: any(patch.get("threshold") == 9 for patch in patches))
    finally:
        client.shutdown()
    hub.deploy({"upper": edge.process_module()})


def test_a_taken_door_is_named(edge, tmp_path):
    other = (edge.folder / "edge.yaml").read_text().replace(str(edge.data), str(tmp_path / "data")).replace('"file:', f'"file:{edge.folder}/')
    (tmp_path / "edge.yaml").write_text(other.replace(f"file:{edge.folder}//", "file:/"))
    done = subprocess.run([BIN / "holdfast-edge", "--config", tmp_path / "edge.yaml"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"{edge.host}:8883" in done.stderr.splitlines()[-1], done.stderr


def test_modules_are_refused_without_the_right_key(hub, edge):
    ca = (edge.data / "pki/ca.crt").read_text()
    for module in ("upper", "stranger"):
        text = f"HostName={hub.host};DeviceId={DEVICE};ModuleId={module};SharedAccessKey=c2VjcmV0c2VjcmV0;GatewayHostName={edge.host}"
        client = IoTHubModuleClient.create_from_connection_string(text, server_verification_cert=ca, connection_retry=False)
        with pytest.raises(CredentialError):
            client.connect()
        client.shutdown()
