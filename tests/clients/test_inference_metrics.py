"""Debian's Prometheus, unmodified, scrapes holdfast-serve under Triton's names; promtool reads the page."""
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import numpy
import pytest
import tritonclient.http as triton
from serve_support import Serve, scale_model
from test_inference_doors import READER, store
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        for name, version, factor in (("a", 1, 2), ("a", 2, 3), ("b", 1, 4)):
            assert running.put(name, version, scale_model(factor))[0] in (200, 201)
        yield running


def tensor(rows: int, columns: int = 2) -> triton.InferInput:
    made = triton.InferInput("x", [rows, columns], "FP32")
    made.set_data_from_numpy(numpy.ones((rows, columns), numpy.float32))
    return made


class Prometheus:
    def __init__(self, folder: pathlib.Path, target: str, **how):
        """`how`: more of the scrape's configuration."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "prometheus.yml").write_text(json.dumps(
            {"scrape_configs": [{"job_name": "serve", "scrape_interval": "200ms", "scrape_timeout": "200ms", "static_configs": [{"targets": [target]}], **how}]}))
        self.command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={self.address}"]
        self.log = folder / "prometheus.log"

    @contextlib.contextmanager
    def running(self):
        with open(self.log, "wb") as log:
            process = subprocess.Popen(self.command, stdout=log, stderr=log)
        try:
            yield self
        finally:
            process.terminate()
            process.wait(30)

    def ask(self, query: str) -> dict[tuple, float]:
        """The samples of an instant query, by model, version and reason."""
        address = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(address, timeout=10) as answer:
            rows = json.load(answer)["data"]["result"]
        return {tuple(row["metric"][key] for key in ("model", "version", "reason") if key in row["metric"]): float(row["value"][1]) for row in rows}

    def until(self, query: str, holds) -> dict[tuple, float]:
        deadline, seen = time.monotonic() + 30, None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                seen = self.ask(query)
                if holds(seen):
                    return seen
            time.sleep(0.1)
        raise AssertionError(f"{query}: {seen}\n{self.log.read_text()[-2000:]}")


def test_prometheus_scrapes_what_clients_did(serve, tmp_path):
    def ask() -> None:
        with triton.InferenceServerClient(serve.address) as own:
            for _ in range(50):
                own.infer("a", [tensor(3)])
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with triton.InferenceServerClient(serve.address) as client:
        client.infer("a", [tensor(1)], model_version="1")
        with pytest.raises(InferenceServerException):
            client.infer("b", [tensor(1, 3)])  # refused before it is a request of the model
        with Prometheus(tmp_path, serve.address).running() as prometheus:
            seen = prometheus.until("nv_inference_request_success", lambda rows: len(rows) == 3)
            assert seen == {("a", "1"): 1, ("a", "2"): 200, ("b", "1"): 0}
            assert prometheus.ask("nv_inference_count") == seen
            runs = prometheus.ask("nv_inference_exec_count")
            assert runs[("a", "1")] == 1 and 1 <= runs[("a", "2")] <= 202  # the first two merged runs are made singly as well
            assert prometheus.ask('nv_inference_request_failure{reason="BACKEND"}')[("b", "1", "BACKEND")] == 0
            whole, engine = prometheus.ask("nv_inference_request_duration_us"), prometheus.ask("nv_inference_compute_infer_duration_us")
            assert whole[("a", "2")] >= engine[("a", "2")] > 0
            assert set(prometheus.ask("nv_inference_pending_request_count").values()) == {0}
            assert prometheus.ask("nv_model_load_duration_secs")[("a", "2")] > 0
            # A histogram as Prometheus itself understands it.
            quantile = prometheus.ask("histogram_quantile(0.5, holdfast_inference_request_duration_seconds_bucket)")
            assert 0 < quantile[("a", "2")] < 1
            assert prometheus.ask("holdfast_inference_request_duration_seconds_count") == seen
            assert prometheus.ask("process_resident_memory_bytes")[()] > 1 << 20
            client.infer("b", [tensor(1)])
            prometheus.until("nv_inference_request_success", lambda rows: rows[("b", "1")] == 1)


def test_it_is_debians_own():
    for program in ("prometheus", "promtool"):
        owner = subprocess.run(["dpkg-query", "--search", pathlib.Path(shutil.which(program)).resolve()], capture_output=True, text=True, timeout=30)
        assert owner.stdout.startswith("prometheus: "), owner


def test_prometheus_scrapes_over_tls_with_a_token(tmp_path):
    (tmp_path / "keys").write_text(f"prometheus reader {READER}\n")
    (tmp_path / "token").write_text(READER)
    serve = Serve(tmp_path, {"tls": {}, "tokens": {"keys": "keys"}})
    store(serve.data)
    (tmp_path / "wrong").mkdir()
    with serve.running() as running:
        tls = {"scheme": "https", "tls_config": {"ca_file": str(serve.data / "pki/ca.crt")}}
        with Prometheus(tmp_path / "wrong", running.address, **tls).running() as prometheus:
            prometheus.until("up", lambda rows: set(rows.values()) == {0})  # without a token
        with Prometheus(tmp_path, running.address, **tls, authorization={"credentials_file": str(tmp_path / "token")}).running() as prometheus:
            prometheus.until("up", lambda rows: set(rows.values()) == {1})
            assert prometheus.until("nv_inference_request_success", bool) == {("scale", "1"): 0}


def test_promtool_finds_the_page_well_formed(serve):
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        page = answer.read()
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=30)
    # Status 3 says that Triton's names are not what Prometheus' style asks for; 1, that it cannot read them.
    assert checked.returncode in (0, 3), checked.stderr
    assert all(b"nv_" in line for line in checked.stderr.splitlines()), checked.stderr


def test_statistics_agree_with_the_metrics(serve):
    with triton.InferenceServerClient(serve.address) as client:
        before = client.get_inference_statistics("b")["model_stats"][0]
        client.infer("b", [tensor(2)])
        after = client.get_inference_statistics("b")["model_stats"][0]
        assert after in client.get_inference_statistics()["model_stats"]  # of all
    assert after["inference_count"] == before["inference_count"] + 1 and after["execution_count"] == before["execution_count"] + 1
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    assert [row["compute_infer"]["count"] for row in after["batch_stats"] if row["batch_size"] == 1] == [after["execution_count"]]
    assert abs(after["last_inference"] / 1000 - time.time()) < 60
