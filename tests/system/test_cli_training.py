"""The holdfast program's nouns of training: jobs with their code, triggers, registered models and where one came from."""
import hashlib
import json
import pathlib
import urllib.request

import pytest
from test_cli import NOT_FOUND, USAGE, Up, until


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    running = Up(tmp_path_factory.mktemp("up"))
    running("storage", "container", "create", "--account", "site1", "letters")
    yield running
    running("down")


def job_file(folder: pathlib.Path, command: str, more: str = "") -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    (folder / "job.yaml").write_text(f"type: command\ncommand: >-\n  {command}\ncode: .\nenvironment: {{}}\n{more}")
    return folder / "job.yaml"


def put(up: Up, folder: pathlib.Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    up("storage", "blob", "upload", "--account", "site1", "--container", "letters", "--name", name, path, "--yes")


def newest(up: Up, trigger: str) -> dict:
    return next(iter(up.json("trigger", "log", trigger)), {"state": "", "version": ""})


def test_a_job_takes_its_folder_along_and_its_log_is_streamed(up, tmp_path):
    file = job_file(tmp_path / "job", "sh say.sh ${{inputs.word}}", "inputs: {word: hello}\n")
    (file.parent / "say.sh").write_text("cat part/text; echo $1; ls -a\n")
    (file.parent / "part").mkdir()
    (file.parent / "part/text").write_text("from a folder\n")
    (file.parent / ".secret").write_text("stays here")
    done = up("job", "create", "--file", file, "--name", "say-1", "--stream")
    assert done.stdout.startswith("from a folder\nhello\n") and ".secret" not in done.stdout
    assert "say-1 is Completed" in done.stderr
    assert up("job", "logs", "say-1").stdout == done.stdout
    assert up.json("job", "show", "say-1")["status"] == "Completed"
    assert "say-1" in [job["name"] for job in up.json("job", "list")]
    assert "COMPLETED" in up("job", "list", "-o", "table").stdout.upper()


def test_what_is_wrong_with_a_job_is_said(up, tmp_path):
    failing = job_file(tmp_path / "failing", "echo sorry; exit 3")
    done = up("job", "create", "--file", failing, "--stream", code=1)
    assert done.stdout == "sorry\n" and "the command ended with 3" in done.stderr
    unknown = job_file(tmp_path / "unknown", "true", "instances: 3\n")
    assert "6:1" in (said := up("job", "create", "--file", unknown, code=1).stderr) and "instances" in said
    gone = job_file(tmp_path / "gone", "true")
    gone.write_text(gone.read_text().replace("code: .", "code: nowhere"))
    assert "nowhere" in up("job", "create", "--file", gone, code=NOT_FOUND).stderr
    up("job", "show", "nobody", code=NOT_FOUND)
    up("job", "logs", "nobody", code=NOT_FOUND)
    up("job", "create", "--file", tmp_path / "no-such-file", code=USAGE)


def test_a_job_is_canceled(up, tmp_path):
    up("job", "create", "--file", job_file(tmp_path / "long", "sleep 600"), "--name", "long-1")
    until(lambda: up.json("job", "show", "long-1")["status"] == "Running")
    up("job", "cancel", "long-1")
    until(lambda: up.json("job", "show", "long-1")["status"] == "Canceled")


def test_a_trigger_learns_new_data_and_a_digest_leads_back(up, tmp_path):
    file = job_file(tmp_path / "train", "cp ${{inputs.data}}/labels/model.onnx ${{outputs.model}}/",
                    'inputs: {data: {type: uri_folder, path: "azureml:letters:${{trigger.version}}"}}\n'
                    "outputs: {model: {type: custom_model, name: letters}}\n")
    (file.parent / "trigger.yaml").write_text(
        "name: learn\ntrigger: {type: data, asset: letters, account: site1, container: letters, when: labels/*}\ncreate_job: job.yaml\n")
    assert up.json("trigger", "create", "--file", file.parent / "trigger.yaml")["name"] == "learn"
    assert up.json("trigger", "list")[0]["watches"] == "site1/letters/labels/*"
    put(up, tmp_path / "blobs", "a.txt", b"no label")
    model = b"not a real model, but bytes that are kept"
    put(up, tmp_path / "blobs", "labels/model.onnx", model)
    until(lambda: newest(up, "learn")["state"] == "completed", 60)
    assert newest(up, "learn")["of"] == "letters:1"

    trace = until(lambda: (found := up.json("model", "show", "letters", "--version", "latest"))["image"] and found, 60)
    assert trace["version"] == "1" and trace["job"] == newest(up, "learn")["job"] and trace["run"]["status"] == "FINISHED"
    assert {row["path"] for row in trace["data"][0]["manifest"]} == {"a.txt", "labels/model.onnx"}
    digest = hashlib.sha256(model).hexdigest()
    if trace["image"]["model_digest"]:
        assert trace["image"]["model_digest"] == f"sha256:{digest}"
    for form in (digest, f"sha256:{digest}"):
        told = up("model", "show", form, "-o", "table").stdout
        assert "letters version 1" in told and "labels/model.onnx" in told and trace["run"]["id"] in told
    assert up.json("model", "versions")[0]["name"] == "letters"
    assert [row["version"] for row in up.json("model", "versions", "letters")] == ["1"]
    assert "digest" in up("model", "show", "0" * 64, code=NOT_FOUND).stderr
    up("model", "show", "letters", "--version", "7", code=NOT_FOUND)

    up("trigger", "run", "learn")  # the same data once more
    until(lambda: [row["version"] for row in up.json("model", "versions", "letters")] == ["2", "1"], 60)
    assert up.json("trigger", "show", "learn")["firings"][0]["of"] == "letters:1"


def test_what_is_wrong_with_a_trigger_is_said(up, tmp_path):
    file = job_file(tmp_path / "bad", "true")
    trigger = file.parent / "trigger.yaml"
    trigger.write_text("name: bad\ntrigger: {type: data, asset: x, account: site1, container: letters, prefx: a}\ncreate_job: job.yaml\n")
    said = up("trigger", "create", "--file", trigger, code=1).stderr
    assert "2:" in said and "prefx" in said and "prefix" in said
    up("trigger", "run", "nobody", code=NOT_FOUND)
    up("trigger", "delete", "nobody", code=USAGE)  # it asks first
    up("trigger", "delete", "nobody", "--yes", code=NOT_FOUND)
    trigger.write_text("name: bad\ntrigger: {type: model, model: letters}\n")
    up("trigger", "create", "--file", trigger)
    up("trigger", "delete", "bad", "--yes")


def test_the_status_page_has_what_training_did(up):
    token = (up.data / "hub/token").read_text().strip()
    request = urllib.request.Request(f"http://{up.run()['http']}/api/v1/overview", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        sections = {part["name"]: part["rows"] for part in json.load(answer)["sections"]}
    assert "letters" in [row["model"] for row in sections["models"]]
    assert "learn" in [row["trigger"] for row in sections["triggers"]]
    assert {"say-1", "long-1"} <= {row["job"] for row in sections["jobs"]}
