"""The unmodified mlflow client: experiments, runs, models logged, registered and loaded back, searches, tokens, bad input."""
import io
import json
import math
import pathlib
import random
import sqlite3
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

import mlflow
import numpy
import pytest
from conftest import Hub
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = numpy.array([[0.0, 1.0], [1.0, 0.0], [0.9, 0.2], [0.1, 0.8]])
LABELS = numpy.array([0, 1, 1, 0])


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A hub for these tests alone: they list everything that it has."""
    running = Hub(tmp_path_factory.mktemp("mlflow")).start()
    yield running
    running.stop()


@pytest.fixture
def client(own, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", (own.data / "token").read_text().strip())
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(f"http://{own.run['http']}")
    mlflow.set_registry_uri(f"http://{own.run['http']}")
    yield mlflow.MlflowClient()
    while mlflow.active_run():
        mlflow.end_run()


def test_a_run_is_logged_and_read_back(client, tmp_path):
    mlflow.set_experiment("first")
    with mlflow.start_run(run_name="one", tags={"stage": "trial"}) as run:
        mlflow.log_param("rate", 0.1)
        mlflow.log_params({"depth": 3, "name": "ü"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"best": 0.2, "nothing": float("nan"), "huge": float("inf")}, step=7)
        mlflow.log_dict({"a": [1, 2]}, "notes/settings.json")
        (tmp_path / "plain.txt").write_text("text of a file")
        mlflow.log_artifact(tmp_path / "plain.txt")
    found = client.get_run(run.info.run_id)
    assert found.info.status == "FINISHED" and found.info.end_time >= found.info.start_time
    assert found.data.params == {"rate": "0.1", "depth": "3", "name": "ü"}
    assert found.data.tags["stage"] == "trial" and found.data.tags["mlflow.runName"] == "one"
    assert found.data.metrics["loss"] == 0.2 and math.isnan(found.data.metrics["nothing"]) and found.data.metrics["huge"] > 1e308
    assert [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")] == [(step, 1 / (step + 1)) for step in range(5)]
    assert {(item.path, item.is_dir) for item in client.list_artifacts(run.info.run_id)} == {("notes", True), ("plain.txt", False)}
    assert [item.path for item in client.list_artifacts(run.info.run_id, "notes")] == ["notes/settings.json"]
    assert pathlib.Path(client.download_artifacts(run.info.run_id, "plain.txt", str(tmp_path))).read_text() == "text of a file"
    assert mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/notes/settings.json") == {"a": [1, 2]}


def test_a_metric_keeps_its_last_bit(client):
    draw = random.Random(7)
    values = [draw.uniform(-1, 1) * 10.0 ** exponent for exponent in range(-20, 20) for _ in range(5)]
    with mlflow.start_run() as run:
        client.log_batch(run.info.run_id, metrics=[Metric("exact", value, 0, step) for step, value in enumerate(values)])
    assert [point.value for point in client.get_metric_history(run.info.run_id, "exact")] == values


def test_a_model_is_logged_registered_and_loaded(own, client):
    mlflow.set_experiment("models")
    model = LogisticRegression().fit(ROWS, LABELS)
    with mlflow.start_run() as run:
        mlflow.log_metric("accuracy", 1.0)
        mlflow.sklearn.log_model(model, name="model", registered_model_name="sorter", serialization_format="cloudpickle")
    for uri in ("models:/sorter/1", "models:/sorter/latest", f"runs:/{run.info.run_id}/model"):
        assert (mlflow.sklearn.load_model(uri).predict(ROWS) == LABELS).all()
    assert (mlflow.pyfunc.load_model("models:/sorter/1").predict(ROWS) == LABELS).all()
    client.set_registered_model_alias("sorter", "champion", 1)
    assert client.get_model_version_by_alias("sorter", "champion").version in (1, "1")
    assert (mlflow.sklearn.load_model("models:/sorter@champion").predict(ROWS) == LABELS).all()
    second = mlflow.register_model(f"runs:/{run.info.run_id}/model", "sorter", tags={"again": "yes"})
    assert int(second.version) == 2 and client.get_model_version("sorter", 2).tags["again"] == "yes"
    client.set_registered_model_alias("sorter", "champion", 2)
    assert int(client.get_model_version_by_alias("sorter", "champion").version) == 2
    # What a version is never changes.
    place = client.get_model_version_download_uri("sorter", 1).removeprefix("mlflow-artifacts:/")
    token = (own.data / "token").read_text().strip()
    for method, path in (("PUT", f"{place}/MLmodel"), ("DELETE", f"{place}/MLmodel"), ("DELETE", place)):
        assert ask(own, method, f"/api/2.0/mlflow-artifacts/artifacts/{path}", b"other", token) == (409, "RESOURCE_CONFLICT")
    client.delete_registered_model_alias("sorter", "champion")
    with pytest.raises(MlflowException, match="champion"):
        client.get_model_version_by_alias("sorter", "champion")
    logged = mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], output_format="list")
    assert [one.source_run_id for one in logged] == [run.info.run_id]


def test_an_onnx_model_becomes_an_image(own, client, tmp_path):
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/digits"))
    import onnx
    from train import export, train
    export(train(60), tmp_path / "digits.onnx")
    mlflow.set_experiment("models")
    with mlflow.start_run() as run:
        mlflow.onnx.log_model(onnx.load(tmp_path / "digits.onnx"), name="model", registered_model_name="digits")
    found = wait_for(lambda: (trace := own.api("GET", "/api/v1/models/digits/versions/1")[1])["image"] and trace)
    assert found["image"]["reference"].startswith("models/digits@sha256:") and found["run"]["id"] == run.info.run_id
    version = wait_for(lambda: "holdfast.image" in (one := client.get_model_version("digits", 1)).tags and one)
    assert version.tags["holdfast.image"] == found["image"]["reference"]
    status, again = own.api("GET", f"/api/v1/trace/{version.tags['holdfast.digest']}")
    assert status == 200 and again["version"] == "1"


def wait_for(check):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError("not within a minute")


def test_searches(client):
    experiment = mlflow.set_experiment("searched").experiment_id
    for number in range(12):
        with mlflow.start_run(run_name=f"run-{number}"):
            mlflow.log_metric("score", number / 10)
            mlflow.log_param("kind", "even" if number % 2 == 0 else "odd")
            if number % 3 == 0:
                mlflow.set_tag("third", "yes")
    names = lambda text, **more: [run.info.run_name for run in client.search_runs([experiment], text, **more)]  # noqa: E731
    assert names("metrics.score > 0.85 AND params.kind = 'even'") == ["run-10"]
    assert sorted(names("tags.third = 'yes'")) == ["run-0", "run-3", "run-6", "run-9"]
    assert len(names("tags.third != 'yes'")) in (0, 8)
    assert names("attributes.run_name LIKE 'run-1%'", order_by=["metrics.score DESC"]) == ["run-11", "run-10", "run-1"]
    page = client.search_runs([experiment], order_by=["metrics.score ASC"], max_results=5)
    following = client.search_runs([experiment], order_by=["metrics.score ASC"], max_results=5, page_token=page.token)
    assert [run.data.metrics["score"] for run in [*page, *following]] == [number / 10 for number in range(10)]
    assert len(mlflow.search_runs(experiment_names=["searched"])) == 12
    for name in ("searched-a", "searched-b"):
        client.create_registered_model(name, tags={"owner": name[-1]})
    assert [model.name for model in client.search_registered_models("name LIKE 'searched-%'", order_by=["name DESC"])] == ["searched-b", "searched-a"]
    assert {"searched-a", "searched-b"} <= {model.name for model in client.search_registered_models()}
    with pytest.raises(MlflowException) as error:
        client.search_runs([experiment], "metrics.score >>> 3")
    assert error.value.error_code == "INVALID_PARAMETER_VALUE"


def test_what_is_wrong_is_said_in_mlflows_form(own, client):
    def code(call, *arguments, **more) -> str:
        with pytest.raises(MlflowException) as error:
            call(*arguments, **more)
        return error.value.error_code
    assert code(client.get_run, "0" * 32) == "RESOURCE_DOES_NOT_EXIST"
    assert code(client.get_experiment, "4711") == "RESOURCE_DOES_NOT_EXIST"
    client.create_experiment("twice")
    assert code(client.create_experiment, "twice") == "RESOURCE_ALREADY_EXISTS"
    run = client.create_run("0")
    client.log_param(run.info.run_id, "once", "a")
    client.log_param(run.info.run_id, "once", "a")
    assert code(client.log_param, run.info.run_id, "once", "b") == "INVALID_PARAMETER_VALUE"
    assert code(client.create_model_version, "searched-a", "file:///etc", run.info.run_id) in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    token = (own.data / "token").read_text().strip()
    for method, path, body, expected in (
            ("POST", "/api/2.0/mlflow/runs/create", b"{no json", (400, "INVALID_PARAMETER_VALUE")),
            ("POST", "/api/2.0/mlflow/runs/log-metric", b'{"run_id":"x","key":"k","value":"many","timestamp":1}', (400, "INVALID_PARAMETER_VALUE")),
            ("POST", "/api/2.0/mlflow/runs/log-batch", b'{"run_id":"x","metrics":[1]}', (400, "INVALID_PARAMETER_VALUE")),
            ("POST", "/api/2.0/mlflow/runs/log-batch", b'{"run_id":"' + b"x" * 2_000_000 + b'"}', (413, "BAD_REQUEST")),
            ("GET", "/api/2.0/mlflow/no-such-thing", None, (404, "ENDPOINT_NOT_FOUND")),
            ("GET", "/api/3.0/mlflow/traces/search", None, (404, "ENDPOINT_NOT_FOUND")),
            ("GET", "/api/2.0/mlflow-artifacts/artifacts/..%2f..%2fetc%2fpasswd", None, (400, "INVALID_PARAMETER_VALUE")),
            ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/../x", b"bytes", (400, "INVALID_PARAMETER_VALUE")),
            ("GET", "/api/2.0/mlflow-artifacts/artifacts/0/none", None, (404, "RESOURCE_DOES_NOT_EXIST"))):
        assert ask(own, method, path, body, token) == expected, path
    assert ask(own, "GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", None, "wrong")[0] == 401
    assert ask(own, "GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", None, None)[0] == 401


def ask(own: Hub, method: str, path: str, body: bytes | None, token: str | None) -> tuple[int, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://{own.run['http']}{path}", body, headers, method=method), timeout=20) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error_code"]


SCRIPT = """\
import os, mlflow
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from requests import HTTPError
client = mlflow.MlflowClient()
with mlflow.start_run() as run:
    mlflow.log_metric("mine", 1)
    mlflow.log_dict({"a": 1}, "mine.json")
other = os.environ["OTHER"]
def refused(call, *arguments):
    try:
        call(*arguments)
    except (MlflowException, HTTPError) as error:
        assert "PERMISSION_DENIED" in str(error), error
    else:
        raise SystemExit(f"{call.__name__} was allowed")
refused(client.log_metric, other, "theirs", 1.0)
refused(client.delete_run, run.info.run_id)
refused(client.create_registered_model, "stolen")
refused(client.create_experiment, "mine")
refused(client.log_dict, other, {"a": 1}, "theirs.json")
print("limits hold for", run.info.run_id)
"""


def test_a_jobs_token_is_for_its_run_alone(own, client):
    other = client.create_run("0").info.run_id
    yaml = json.dumps({"environment": {}, "experiment_name": "jobs", "command": f"{sys.executable} script.py", "environment_variables": {"OTHER": other, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}})
    code = put_code(own, "script.py", SCRIPT)
    status, job = own.api("POST", "/api/v1/jobs", {"yaml": yaml, "code": code})
    assert status == 201, job
    done = wait_for(lambda: (found := own.api("GET", f"/api/v1/jobs/{job['name']}")[1])["status"] in ("Completed", "Failed") and found)
    log = raw(own, "GET", f"/api/v1/jobs/{job['name']}/logs").decode()
    assert done["status"] == "Completed", log
    run = client.get_run(log.split()[-1])
    assert run.data.metrics == {"mine": 1.0} and run.info.status == "FINISHED" and run.data.tags["holdfast.job"] == job["name"]
    assert client.get_run(other).data.metrics == {}


def raw(own: Hub, method: str, path: str, body: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {(own.data / 'token').read_text().strip()}"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{own.run['http']}{path}", body, headers, method=method), timeout=60) as answer:
        return answer.read()


def put_code(own: Hub, name: str, text: str) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return json.loads(raw(own, "PUT", "/api/v1/code", packed.getvalue()))["id"]


def test_the_command_line_client(own, client):
    done = subprocess.run([sys.executable, "-m", "mlflow", "experiments", "search"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "Default" in done.stdout, done.stderr


def test_everything_is_there_after_a_kill(own, client):
    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_metric("kept", 3)
        mlflow.log_dict({"kept": True}, "kept.json")
        own.kill()
        address = own.run["http"]
        own.start()
        assert own.run["http"] != address
        mlflow.set_tracking_uri(f"http://{own.run['http']}")
    found = mlflow.MlflowClient().get_run(run.info.run_id)
    assert found.data.metrics == {"kept": 3.0}
    assert mlflow.artifacts.load_dict(f"{found.info.artifact_uri}/kept.json") == {"kept": True}
    with sqlite3.connect(f"file:{own.data}/db/ml.db?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
