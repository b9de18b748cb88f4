"""Traces: OpenTelemetry's own SDK calls through unmodified tritonclients, and its own messages read what the server sends to a collector."""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import types
import urllib.error
import urllib.request

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from opentelemetry import propagate, trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from otlp_support import Collector, attributes
from serve_support import BIN, Serve, deep_model, scale_model
from test_inference_doors import Authority
from tritonclient.utils import InferenceServerException

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/local"))
from holdfast_local import LocalClient  # noqa: E402

ROWS = numpy.ones((1, 2), numpy.float32)


@pytest.fixture
def collector():
    with Collector().running() as running:
        yield running


def configured(folder: pathlib.Path, collector: Collector, **more) -> Serve:
    return Serve(folder, {"traces": {"endpoint": collector.endpoint, "every": "20ms", **more}, "listen": {"local": str(folder / "l.sock")}})


def by_http(serve: Serve, headers=None, model="scale", rows=ROWS, **more):
    with triton_http.InferenceServerClient(serve.address) as client:
        given = triton_http.InferInput("x", list(rows.shape), "FP32")
        given.set_data_from_numpy(rows)
        return client.infer(model, [given], headers=headers, **more)


def by_grpc(serve: Serve, headers=None, model="scale", rows=ROWS, **more):
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        given = triton_grpc.InferInput("x", list(rows.shape), "FP32")
        given.set_data_from_numpy(rows)
        return client.infer(model, [given], headers=headers, **more)


def by_stream(serve: Serve, headers=None, rows=ROWS):
    answers = []
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        client.start_stream(lambda result, error: answers.append((result, error)), headers=headers)
        given = triton_grpc.InferInput("x", list(rows.shape), "FP32")
        given.set_data_from_numpy(rows)
        client.async_stream_infer("scale", [given], request_id="r-1")
        client.stop_stream()
    assert answers[0][1] is None


def by_local(serve: Serve, headers=None):
    with LocalClient(str(serve.folder / "l.sock")) as client:
        client.infer("scale", [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]}], id="r-1", **(headers or {}))


def by_score(serve: Serve, headers=None):
    request = urllib.request.Request(f"http://{serve.address}/score", json.dumps({"data": [[1, 1]]}).encode(), headers or {})
    urllib.request.urlopen(request, timeout=30).close()


NAMES = {by_http: "POST /v2/models/{model}/infer", by_grpc: "inference.GRPCInferenceService/ModelInfer", by_score: "POST /score",
         by_stream: "inference.GRPCInferenceService/ModelStreamInfer", by_local: "local infer"}


def metric(serve: Serve, name: str) -> float:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{re.escape(name)} (.+)$", answer.read().decode(), re.MULTILINE).group(1))


def until(serve: Serve, name: str, least: float) -> float:
    deadline = time.monotonic() + 30
    while (seen := metric(serve, name)) < least:
        assert time.monotonic() < deadline, (name, seen)
        time.sleep(0.02)
    return seen


@pytest.mark.parametrize("call", list(NAMES), ids=lambda call: call.__name__)
def test_the_callers_trace_goes_on_through_the_server(tmp_path, collector, call):
    tracer = TracerProvider().get_tracer("caller")
    with configured(tmp_path, collector, sample=0).running() as serve:
        assert serve.put("scale", 3, scale_model(2))[0] == 201
        call(serve)  # nobody traces it
        with tracer.start_as_current_span("caller") as caller:
            headers = {"tracestate": "vendor=x"}
            propagate.inject(headers)
            before = time.time_ns()
            call(serve, headers)
            after = time.time_ns()
        spans = collector.wait(1)
    context = caller.get_span_context()
    assert {span.trace_id for span in spans} == {context.trace_id.to_bytes(16, "big")}
    named = {span.name: span for span in spans}
    assert len(named) == len(spans) and set(named) == {NAMES[call], "receive", "batch", "infer"}
    request = named[NAMES[call]]
    assert request.kind == Span.SPAN_KIND_SERVER and request.parent_span_id == context.span_id.to_bytes(8, "big")
    for name, parent in (("receive", request), ("batch", request), ("infer", named["batch"])):
        span = named[name]
        assert span.parent_span_id == parent.span_id and span.kind == Span.SPAN_KIND_INTERNAL
        assert parent.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= parent.end_time_unix_nano, name
    assert before <= request.start_time_unix_nano and named["infer"].end_time_unix_nano <= after, "one machine, one clock"
    known = attributes(request)
    assert known["holdfast.model.name"] == "scale" and known["holdfast.model.version"] == "3" and known["holdfast.model.digest"].startswith("sha256:")
    assert attributes(named["infer"]) == {"holdfast.engine": "onnxruntime_onnx"} and attributes(named["batch"]) == {"holdfast.batch.requests": 1}
    if call in (by_http, by_score):
        assert known["http.response.status_code"] == 200 and known["http.request.method"] == "POST" and known["http.route"] == NAMES[call].split()[1]
    elif call is not by_local:
        assert known["rpc.system.name"] == "grpc" and known["rpc.method"] == NAMES[call] and known["rpc.response.status_code"] == "OK"
    assert request.status.code == Status.STATUS_CODE_UNSET
    resource = attributes(collector.resources()[0])
    assert resource["service.name"] == "holdfast-serve" and resource["service.instance.id"] and resource["host.name"]


@contextlib.contextmanager
def held(door: str):
    """Another address of the door. Its answers stop on their way, which sets `stopped`, until `go` is set."""
    host, port = door.split(":")
    stopped, go = threading.Event(), threading.Event()

    def pass_on(source: socket.socket, sink: socket.socket, most: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                most -= len(data)
                if most < 0:
                    stopped.set()
                    assert go.wait(60)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, server = listener.accept()[0], socket.socket()
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)  # else the kernel holds more and more
                server.connect((host, int(port)))
                for source, sink, most in ((client, server, 1 << 40), (server, client, 256 << 10)):
                    threading.Thread(target=pass_on, args=(source, sink, most), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield types.SimpleNamespace(address=f"127.0.0.1:{listener.getsockname()[1]}", stopped=stopped, go=go)
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("call", [by_http, by_grpc, by_stream], ids=lambda call: call.__name__)
def test_the_span_ends_when_the_answer_is_written(tmp_path, collector, call):
    rows = numpy.ones((1 << 21, 2), numpy.float32)  # 16 MiB: more than sockets hold
    with configured(tmp_path, collector).running() as serve:
        assert serve.put("scale", 3, scale_model(2))[0] == 201
        with held(serve.address if call is by_http else serve.grpc) as door:
            caller = threading.Thread(target=call, args=(types.SimpleNamespace(address=door.address, grpc=door.address),), kwargs={"rows": rows})
            caller.start()
            assert door.stopped.wait(60)
            held_at = time.time_ns()
            door.go.set()
            caller.join()
        named = {span.name: span for span in collector.wait(1)}
    assert named["infer"].end_time_unix_nano <= held_at <= named[NAMES[call]].end_time_unix_nano


def test_who_does_not_record_is_not_recorded(tmp_path, collector):
    provider = TracerProvider(sampler=ALWAYS_OFF)
    with configured(tmp_path, collector).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        with provider.get_tracer("caller").start_as_current_span("caller"):
            headers = {}
            propagate.inject(headers)
            assert int(headers["traceparent"][-2:], 16) & 1 == 0
            by_http(serve, dict(headers))  # it adds some of its own
            by_grpc(serve, headers)
        by_http(serve, {"traceparent": "00-broken"}, request_id="own")
        spans = collector.wait(1)
    assert [attributes(span)["holdfast.request.id"] for span in spans if span.kind == Span.SPAN_KIND_SERVER] == ["own"]
    assert not spans[0].parent_span_id and len(spans[0].trace_id) == 16


def test_requests_that_wait_and_are_merged_show_it(tmp_path, collector):
    with configured(tmp_path, collector, queue=20000).running() as serve:
        assert serve.put("deep", 1, deep_model(60))[0] == 201

        def ask() -> None:
            for _ in range(20):
                by_http(serve, model="deep", rows=numpy.ones((8, 256), numpy.float32))

        def merged_ones(spans: list) -> list:
            return [span for span in spans if span.name == "batch" and attributes(span)["holdfast.batch.requests"] > 1]

        # Whether merging pays is learned from runs, which others on the machine disturb: several rounds.
        for round_ in range(1, 11):
            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            spans = collector.wait(160 * round_)
            if merged := merged_ones(spans):
                break
    assert merged, "eight callers of a slow model"
    by_id = {span.span_id: span for span in spans}
    waited = {span.parent_span_id: span for span in spans if span.name == "queue"}
    for batch in merged:
        request, queue = by_id[batch.parent_span_id], waited[batch.parent_span_id]
        assert request.start_time_unix_nano <= queue.start_time_unix_nano < queue.end_time_unix_nano <= batch.start_time_unix_nano
        assert batch.end_time_unix_nano <= request.end_time_unix_nano


def test_what_fails_is_told_by_the_conventions(tmp_path, collector):
    with configured(tmp_path, collector).running() as serve:
        assert serve.put("deep", 1, deep_model(2))[0] == 201
        for call in (by_http, by_grpc):
            for model, more in (("nobody", {}), ("deep", {"timeout": 1})):
                with pytest.raises(InferenceServerException):
                    call(serve, model=model, rows=numpy.ones((1, 256), numpy.float32), **more)
        spans = sorted((span for span in collector.wait(4) if span.kind == Span.SPAN_KIND_SERVER), key=lambda span: span.start_time_unix_nano)
    told = [(attributes(span)["error.type"], span.status.code) for span in spans]
    assert told == [("404", Status.STATUS_CODE_UNSET), ("504", Status.STATUS_CODE_ERROR), ("NOT_FOUND", Status.STATUS_CODE_UNSET),
                    ("DEADLINE_EXCEEDED", Status.STATUS_CODE_ERROR)]
    assert "deadline" in spans[1].status.message


def test_a_collector_that_hangs_costs_no_request_and_what_is_lost_is_counted(tmp_path, collector):
    collector.status = 0
    with configured(tmp_path, collector, queue=40, timeout="60s").running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        with triton_http.InferenceServerClient(serve.address) as client:
            given = triton_http.InferInput("x", [1, 2], "FP32")
            given.set_data_from_numpy(ROWS)
            for _ in range(100):
                client.infer("scale", [given])
        assert until(serve, 'holdfast_trace_spans_dropped_total{reason="queue_full"}', 360) == 360, "all but a queue of spans, what is on its way included"
        collector.status = 200
        assert until(serve, "holdfast_trace_spans_sent_total", 40) == 40
    assert len(collector.spans()) == 40


def test_a_collector_that_comes_back_gets_what_waited(tmp_path, collector):
    collector.status = 503
    with configured(tmp_path, collector).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        by_http(serve)
        deadline = time.monotonic() + 30
        while collector.asked == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        collector.status = 200
        assert len(collector.wait(1)) == 4
        assert until(serve, "holdfast_trace_spans_sent_total", 4) == 4
        collector.status = 400
        by_http(serve)
        assert until(serve, 'holdfast_trace_spans_dropped_total{reason="not_sent"}', 4) == 4


def test_an_end_sends_what_waits(tmp_path, collector):
    with configured(tmp_path, collector, every="1h").running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        by_http(serve)
        assert collector.spans() == []
    assert len(collector.spans()) == 4


def test_a_collector_with_tls_and_a_token(tmp_path):
    authority = Authority(tmp_path, "site")
    (tmp_path / "token").write_text("Bearer collector-token\n")
    with Collector(tls=authority.issue("collector")).running() as collector:
        more = {"ca": authority.path.name, "headers": {"Authorization": "file:token"}, "resource": {"service.name": "press-07", "deployment.environment.name": "plant"}}
        with configured(tmp_path, collector, **more).running() as serve:
            assert serve.put("scale", 1, scale_model(2))[0] == 201
            by_http(serve)
            collector.wait(1)
        assert collector.headers[0]["Authorization"] == "Bearer collector-token"
        resource = attributes(collector.resources()[0])
        assert resource["service.name"] == "press-07" and resource["deployment.environment.name"] == "plant"
    assert "collector-token" not in (tmp_path / "serve.log").read_text()


def test_tritons_settings_tell_what_holds(tmp_path, collector):
    with configured(tmp_path, collector, sample=2.5).running() as serve:
        with triton_http.InferenceServerClient(serve.address) as http, triton_grpc.InferenceServerClient(serve.grpc) as grpc:
            told = http.get_trace_settings()
            assert told == {"trace_file": "", "trace_level": ["TIMESTAMPS"], "trace_rate": "40", "trace_count": "-1", "log_frequency": "0", "trace_mode": "opentelemetry"}
            assert {key: list(value.value) for key, value in grpc.get_trace_settings().settings.items()}["trace_mode"] == ["opentelemetry"]
            http.update_trace_settings(settings={"trace_rate": "40"})
            for change in (http.update_trace_settings, grpc.update_trace_settings):
                with pytest.raises(InferenceServerException) as error:
                    change(settings={"trace_rate": "1"})
                assert error.value.status() in ("501", "StatusCode.UNIMPLEMENTED")


def test_nothing_is_told_where_nothing_is_traced(tmp_path):
    with Serve(tmp_path).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201
        by_http(serve, {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
        with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
            assert "holdfast_trace" not in answer.read().decode()


@pytest.mark.parametrize(("section", "text"), [
    ({"sample": 10}, "endpoint"), ({"endpoint": "collector:4318"}, "http"), ({"endpoint": "http://x", "sample": 101}, "percentage"),
    ({"endpoint": "http://x", "queue": 3}, "queue"), ({"endpoint": "http://x", "headers": {"Authorization": "Bearer secret"}}, "reference"),
    ({"endpoint": "http://x", "every": "0s"}, "every"), ({"endpoint": "http://x", "rate": 5}, "rate")])
def test_a_wrong_section_is_named(tmp_path, section, text):
    (tmp_path / "serve.yaml").write_text(json.dumps({"traces": section}))
    told = subprocess.run([BIN / "holdfast-serve", "--check", "--config", tmp_path / "serve.yaml", "--data", tmp_path / "serve"], capture_output=True, text=True, timeout=30)
    assert told.returncode == 2 and text in told.stderr and "secret" not in told.stderr.replace("not the secret itself", ""), told.stderr
