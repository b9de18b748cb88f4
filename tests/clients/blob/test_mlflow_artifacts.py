"""mlflow, unmodified, with a wasbs artifact root in an account of ours: its blob client uses a connection string. The tracking
store is mlflow's own in files, since our hub keeps the artifacts of its runs itself."""
import os

import mlflow
import pytest
from mlflow.exceptions import MlflowException

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def client(service, connection_string, monkeypatch, tmp_path):
    service.create_container("artifacts")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


def test_artifacts_of_a_run(client, account, service, tmp_path):
    # The address must name the public cloud; where it really goes, the connection string says.
    root = f"wasbs://artifacts@{account.name}.blob.core.windows.net/runs"
    run = client.create_run(client.create_experiment(f"wasbs {account.name}", artifact_location=root))
    assert run.info.artifact_uri.startswith(root)
    big = os.urandom(70 << 20)  # over what is sent in one piece
    (tmp_path / "model/data").mkdir(parents=True)
    (tmp_path / "model/MLmodel").write_text("flavors: {}\n")
    (tmp_path / "model/data/weights ü.bin").write_bytes(big)
    client.log_artifacts(run.info.run_id, str(tmp_path / "model"), "model")
    client.log_text(run.info.run_id, "told", "notes/one.txt")
    assert [(item.path, item.is_dir) for item in client.list_artifacts(run.info.run_id)] == [("model", True), ("notes", True)]
    inner = {item.path: item.file_size for item in client.list_artifacts(run.info.run_id, "model")}
    assert inner == {"model/MLmodel": 12, "model/data": None}
    back = client.download_artifacts(run.info.run_id, "model", str(tmp_path))
    assert (tmp_path / "model/data/weights ü.bin").read_bytes() == big and open(f"{back}/data/weights ü.bin", "rb").read() == big
    with pytest.raises(MlflowException):
        client.download_artifacts(run.info.run_id, "none", str(tmp_path))
    names = [blob.name for blob in service.get_container_client("artifacts").list_blobs()]
    assert len(names) == 3 and all(name.startswith("runs/") for name in names)
    repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(run.info.artifact_uri)
    repository.delete_artifacts()
    assert list(service.get_container_client("artifacts").list_blobs()) == []
