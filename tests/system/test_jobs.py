"""Command jobs on a real hub: data in, logs followed, outputs there, failures, cancel, the hub killed while one runs."""
import io
import json
import pathlib
import sys
import tarfile
import time
import urllib.request
import zipfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "clients"))
from conftest import Hub  # noqa: E402

HEAD = "type: command\nenvironment: {}\ncommand: >-\n  "


@pytest.fixture
def hub(tmp_path):
    running = Hub(tmp_path).start()
    yield running
    running.stop()


def raw(hub: Hub, method: str, path: str, body: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {(hub.data / 'token').read_text().strip()}"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{hub.run['http']}{path}", body, headers, method=method), timeout=60) as answer:
        return answer.read()


def submit(hub: Hub, name: str, command: str, more: str = "", code: str = "") -> dict:
    status, job = hub.api("POST", "/api/v1/jobs", {"name": name, "yaml": HEAD + command + "\n" + more, "code": code})
    assert status == 201, job
    return job


def put_code(hub: Hub, files: dict[str, str]) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return json.loads(raw(hub, "PUT", "/api/v1/code", packed.getvalue()))["id"]


def until(hub: Hub, name: str, *statuses: str, within: float = 30) -> dict:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        status, job = hub.api("GET", f"/api/v1/jobs/{name}")
        if status == 200 and job["status"] in statuses:
            return job
        time.sleep(0.01)
    raise AssertionError(job)


def alive(pid: str) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_job_reads_its_data_and_its_log_is_followed(hub):
    from azure.storage.blob import BlobServiceClient
    account = hub.create_account()
    service = BlobServiceClient(account.endpoint, credential={"account_name": account.name, "account_key": account.key})
    service.create_container("ready").upload_blob("d/a.txt", b"hello")
    status, version = hub.api("POST", "/api/v1/data", {"name": "digits", "account": account.name, "container": "ready", "prefix": "d/"})
    assert status == 201, version
    script = "import sys, pathlib\ntext = pathlib.Path(sys.argv[1], 'a.txt').read_text()\npathlib.Path(sys.argv[2], 'up').write_text(text.upper())\nprint(text)\n"
    code = put_code(hub, {"train.py": script})
    submit(hub, "one", "python3 train.py ${{inputs.d}} ${{outputs.o}}", "inputs: {d: {path: 'azureml:digits@latest'}}\noutputs: {o: {}}\n", code)
    assert raw(hub, "GET", "/api/v1/jobs/one/logs?follow=true") == b"hello\n"
    job = until(hub, "one", "Completed")
    assert [(row["asset"], row["version"]) for row in job["data"]] == [("digits", "1")]
    assert (hub.data / "jobs/one/1/outputs/o/up").read_text() == "HELLO"


def test_failures_cancel_and_bad_input(hub):
    submit(hub, "bad", "echo why; exit 7")
    assert until(hub, "bad", "Failed")["exit_code"] == 7
    assert raw(hub, "GET", "/api/v1/jobs/bad/logs") == b"why\n"
    submit(hub, "long", "sleep 1000")
    until(hub, "long", "Running")
    assert hub.api("POST", "/api/v1/jobs/long/cancel")[0] == 202
    until(hub, "long", "Canceled")
    status, error = hub.api("POST", "/api/v1/jobs", {"yaml": "command: a\nenvironment: {}\ncolour: red\n"})
    assert status == 400 and "job.yaml:3:1: colour" in error["error"]["message"]
    status, error = hub.api("POST", "/api/v1/jobs", {"name": "bad", "yaml": HEAD + "true\n"})
    assert status == 409, error
    with pytest.raises(urllib.error.HTTPError, match="400"):
        put_code(hub, {"../out": "x"})


def test_a_kill_of_the_hub_has_its_effect_once(hub, tmp_path):
    out, gate = tmp_path / "out", tmp_path / "gate"
    submit(hub, "one", f"echo $$ >> {out}.pids; while ! test -e {gate}; do sleep 0.05; done; echo done >> {out}")
    until(hub, "one", "Running")
    deadline = time.monotonic() + 30
    pids = pathlib.Path(f"{out}.pids")
    while not pids.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    hub.kill()
    hub.start()
    deadline = time.monotonic() + 30
    while len(pids.read_text().split()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    first, second = pids.read_text().split()
    assert not alive(first) and alive(second)
    gate.write_text("")
    job = until(hub, "one", "Completed")
    assert job["attempt"] == 2 and out.read_text() == "done\n"
    hub.kill()
    hub.start()
    assert until(hub, "one", "Completed")["attempt"] == 2 and out.read_text() == "done\n"


def test_an_environment_is_made_once_from_its_requirements(tmp_path):
    """A wheel of our own, so that no package index is asked."""
    wheel = tmp_path / "tinything-1.5-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("tinything.py", "WORD = 'from the wheel'\n")
        packed.writestr("tinything-1.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.5\n")
        packed.writestr("tinything-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr("tinything-1.5.dist-info/RECORD", "")
    requirement = f"tinything @ file://{wheel}"
    (tmp_path / "hub.yaml").write_text(json.dumps({"jobs": {"environments": {"tiny": [requirement]}}}))
    hub = Hub(tmp_path, tmp_path / "hub.yaml").start()
    try:
        def run(name: str, environment) -> dict:
            yaml = json.dumps({"environment": environment, "command": "python3 -c 'import tinything; print(tinything.WORD)'"})
            status, job = hub.api("POST", "/api/v1/jobs", {"name": name, "yaml": yaml})
            assert status == 201, job
            return until(hub, name, "Completed", "Failed", within=120)
        for name, environment in (("named", "azureml:tiny@latest"), ("inline", {"pip": [requirement]})):
            assert run(name, environment)["status"] == "Completed", raw(hub, "GET", f"/api/v1/jobs/{name}/logs")
            assert raw(hub, "GET", f"/api/v1/jobs/{name}/logs").endswith(b"from the wheel\n")
        assert len(list((hub.data / "environments").iterdir())) == 1
        assert run("bare", {})["status"] == "Failed"
        status, error = hub.api("POST", "/api/v1/jobs", {"yaml": "command: a\nenvironment: azureml:nobody@latest\n"})
        assert status == 404 and "nobody" in error["error"]["message"]
    finally:
        hub.stop()
