"""tritonclient, unmodified, HTTP and gRPC: where a request's time went, and a sample of requests in files, also over kill -9."""
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

import numpy
import onnx
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from serve_support import BIN, Serve, deep_model, echo_model, scale_model
from tritonclient.utils import InferenceServerException

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/local"))
from holdfast_local import LocalClient, LocalError, placed  # noqa: E402

STAGES = ["receive_us", "queue_us", "input_us", "infer_us", "output_us", "total_us"]


def ask(serve: Serve, values: numpy.ndarray, model: str = "scale", **more):
    with triton.InferenceServerClient(serve.address, network_timeout=120) as client:
        given = triton.InferInput("x", values.shape, "FP32")
        given.set_data_from_numpy(values.astype(numpy.float32))
        return client.infer(model, [given], **more)


def ask_grpc(serve: Serve, values: numpy.ndarray, model: str = "scale", **more):
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        given = triton_grpc.InferInput("x", values.shape, "FP32")
        given.set_data_from_numpy(values.astype(numpy.float32))
        return client.infer(model, [given], **more)


def stages(result) -> dict[str, int]:
    response = result.get_response()
    if isinstance(response, dict):
        return {key: value for key, value in response["parameters"].items() if key.endswith("_us")}
    return {key: value.int64_param for key, value in response.parameters.items() if key.endswith("_us")}


def lines(folder: pathlib.Path) -> list[dict]:
    return [json.loads(line) for file in sorted(folder.glob("capture-*.jsonl")) for line in file.read_text().splitlines()]


def wait_for(folder: pathlib.Path, count: int) -> list[dict]:
    deadline = time.monotonic() + 30
    while len(found := lines(folder)) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def metric(serve: Serve, name: str) -> float:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{name} (.+)$", answer.read().decode(), re.MULTILINE).group(1))


def test_who_asks_is_told_where_the_time_went(tmp_path):
    with Serve(tmp_path).running() as serve:
        assert serve.put("deep", 1, deep_model(40))[0] == 201
        values = numpy.ones((64, 256))
        for call in (ask, ask_grpc):
            assert stages(call(serve, values, "deep")) == {}, "nobody asked"
            told = stages(call(serve, values, "deep", parameters={"timing": True}))
            assert set(told) == set(STAGES)
            assert told["infer_us"] > 100, "40 products of 64 rows"
            parts = sum(told.values()) - told["total_us"]
            assert abs(parts - told["total_us"]) <= len(STAGES), "each is cut to whole µs"
            with pytest.raises(InferenceServerException, match="timing"):
                call(serve, values, "deep", parameters={"timing": "yes"})


def test_the_local_door_tells_and_captures_as_well(tmp_path):
    config = {"listen": {"local": str(tmp_path / "l.sock")}, "capture": {"directory": "share", "after": "200ms"}}
    with Serve(tmp_path, config).running() as serve, LocalClient(str(tmp_path / "l.sock")) as client:
        assert serve.put("deep", 1, deep_model(40))[0] == 201
        rows = numpy.ones((64, 256), numpy.float32)
        client.share_constant("in", rows.tobytes())
        out = client.share("out", rows.nbytes)
        given = [{"name": "x", "datatype": "FP32", "shape": [64, 256], "parameters": placed("in", rows.nbytes)}]
        wanted = [{"name": "y", "parameters": placed("out", rows.nbytes)}]
        assert not any(key.endswith("_us") for key in client.infer("deep", given, wanted, id="untold")["parameters"]), "nobody asked"
        answer = client.infer("deep", given, wanted, id="told", parameters={"timing": True})
        assert numpy.frombuffer(out, numpy.float32).tolist() == rows.flatten().tolist()
        told = {key: value for key, value in answer["parameters"].items() if key.endswith("_us")}
        assert list(told) == STAGES and told["infer_us"] > 100
        assert abs(sum(told.values()) - 2 * told["total_us"]) <= len(STAGES), "each is cut to whole µs"
        with pytest.raises(LocalError, match="timing"):
            client.infer("deep", given, wanted, parameters={"timing": "yes"})
        found = wait_for(tmp_path / "share", 4)
    assert [line["xrequestid"] for line in found if line["type"].endswith("inputs")] == ["untold", "told"]
    assert found[0]["data"][0]["shape"] == [64, 256] and found[0]["data"][0]["data"] == rows.flatten().tolist()


def test_the_header_is_the_standard_one(tmp_path):
    with Serve(tmp_path).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        body = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
        for header, there in (({"Holdfast-Timing": "1"}, True), ({}, False)):
            request = urllib.request.Request(f"http://{serve.address}/v2/models/scale/infer", body, header)
            with urllib.request.urlopen(request, timeout=30) as answer:
                told = answer.headers["Server-Timing"]
                assert (told is not None) == there
                if there:
                    durations = {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([0-9.]+)", told)}
                    assert list(durations) == [name.removesuffix("_us") for name in STAGES]
                    assert durations["total"] >= durations["infer"]


def test_requests_of_both_doors_are_written_and_read_back(tmp_path):
    folder = tmp_path / "share"
    with Serve(tmp_path, {"capture": {"directory": "share", "models": ["scale"], "after": "200ms"}}).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        assert serve.put("echo", 1, echo_model(onnx.TensorProto.FLOAT, 2))[0] == 201
        digest = ask(serve, numpy.array([[1.5, 2]]), request_id="over-http").get_response()["parameters"]["model_digest"]
        ask(serve, numpy.array([[7, 7]]), "echo")  # not one of `models`
        ask_grpc(serve, numpy.array([[3, 4], [5, 6]]), request_id="over-grpc")
        found = wait_for(folder, 4)
        assert metric(serve, "holdfast_inference_captured_total") == 2
    assert len(found) == 4
    by_request = {(line["xrequestid"], line["type"]): line for line in found}
    for line in found:  # the keys of Azure ML's documented example, and two of ours
        assert set(line) == {"specversion", "id", "source", "type", "datacontenttype", "time", "data", "contentrange", "correlationid", "xrequestid", "modelversion",
                             "collectdatatype", "agent", "modelname", "modeldigest"}
        size = len(json.dumps(line["data"], separators=(",", ":")))
        assert uuid.UUID(line["id"]) and uuid.UUID(line["correlationid"]) and re.fullmatch(r"holdfast-serve/[0-9.]+", line["agent"])
        assert re.fullmatch(r"bytes 0-(\d+)/(\d+)", line["contentrange"]) and line["contentrange"].endswith(f"-{size - 1}/{size}"), (line["contentrange"], size)
    inputs = by_request["over-http", "azureml.inference.model_inputs"]
    outputs = by_request["over-http", "azureml.inference.model_outputs"]
    assert inputs["correlationid"] == outputs["correlationid"] and inputs["modeldigest"] == digest
    assert inputs["data"] == [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.5, 2]}]
    assert outputs["data"] == [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [3, 4]}]
    assert by_request["over-grpc", "azureml.inference.model_outputs"]["data"][0]["data"] == [6, 8, 10, 12]


def test_a_share_is_a_sample(tmp_path):
    with Serve(tmp_path, {"capture": {"directory": "share", "share": 25}}).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        for i in range(200):
            ask(serve, numpy.array([[i, i]]))
    count = len(lines(tmp_path / "share")) / 2  # closed when the server ends
    assert 15 <= count <= 95, "outside by chance once in 10^8"


def test_a_full_directory_fails_no_request(tmp_path):
    with Serve(tmp_path, {"capture": {"directory": "share", "disk": "1KiB", "lines": 2}}).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        deadline = time.monotonic() + 30
        while metric(serve, "holdfast_inference_capture_dropped_total") == 0:
            assert ask(serve, numpy.array([[1, 1]])).as_numpy("y").tolist() == [[2, 2]]
            assert time.monotonic() < deadline
        assert sum(file.stat().st_size for file in (tmp_path / "share").iterdir()) < 2048


def test_a_killed_server_leaves_whole_lines_once(tmp_path):
    server = Serve(tmp_path, {"capture": {"directory": "share", "lines": 20, "after": "1h"}})
    answered = []
    for life in range(4):
        with server.running(ends=-9) as serve:
            if life == 0:
                assert serve.put("scale", 1, scale_model(2))[0] == 201
            stop = threading.Event()

            def ask_on():
                with contextlib.suppress(Exception):  # it is killed under us
                    while not stop.is_set():
                        ask(serve, numpy.array([[len(answered), life]]), request_id=f"r{len(answered)}")
                        answered.append(len(answered))

            asker = threading.Thread(target=ask_on)
            asker.start()
            goal = len(answered) + 50
            deadline = time.monotonic() + 60
            while len(answered) < goal:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            serve.process.kill()
            stop.set()
            asker.join()
    (tmp_path / "serve.yaml").write_text(json.dumps({"capture": {"directory": "share", "after": "100ms"}}))
    with server.running():  # takes the last open file up
        deadline = time.monotonic() + 30
        while list((tmp_path / "share").glob(".*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    found = lines(tmp_path / "share")  # every line is JSON
    assert len({line["id"] for line in found}) == len(found)
    assert len(found) >= 0.5 * len(answered), "what waited in memory is lost with it, no more"
    for file in (tmp_path / "share").iterdir():
        assert file.name.startswith("capture-"), "nothing half-written is left"


@pytest.mark.parametrize(("section", "text"), [
    ({"share": 10}, "directory"), ({"directory": "share", "share": 0}, "percentage"), ({"directory": "share", "share": 101}, "percentage"),
    ({"directory": "share", "lines": 1}, "lines"), ({"directory": "share", "sample": 5}, "sample")])
def test_a_wrong_section_is_named(tmp_path, section, text):
    (tmp_path / "serve.yaml").write_text(json.dumps({"capture": section}))
    told = subprocess.run([BIN / "holdfast-serve", "--check", "--config", tmp_path / "serve.yaml", "--data", tmp_path / "serve"], capture_output=True, text=True, timeout=30)
    assert told.returncode != 0 and text in told.stderr, told.stderr
