"""The inference server's doors beside bare servers and the raw runtime's call, MLServer, LoadGen's scenarios, loading and memory. One run, sides interleaved."""
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import rigs
import tuning
from http_floor import binary_request, infer_http, raw, raw_call
from http_floor import load as load_http
from lines import report

ROUNDS = 5
ROOT = pathlib.Path(__file__).resolve().parent.parent
METHOD = "/inference.GRPCInferenceService/ModelInfer"
JSON_DIGIT = json.dumps({"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}]}).encode()


def load(address: str, request: pathlib.Path, seconds: float) -> dict:
    out = subprocess.run(["taskset", "--cpu-list", "1", rigs.BIN / "bench_grpc_load", address, METHOD, request, str(seconds)],
                         check=True, capture_output=True, text=True)
    figures = json.loads(out.stdout)
    if figures["errors"]:
        raise SystemExit(f"{address}: {figures['errors']} errors: {out.stderr}")
    return figures


def bench_grpc(folder: pathlib.Path) -> None:
    from tritonclient.grpc import service_pb2
    model = rigs.digits_model(folder)
    request = service_pb2.ModelInferRequest(model_name="digits", raw_input_contents=[struct.pack("<64f", *([0.5] * 64))])
    request.inputs.add(name="pixels", datatype="FP32", shape=[1, 64])
    path = folder / "request.bin"
    path.write_bytes(request.SerializeToString())
    # As in the loop's bench: each side has a core of its own, the same for all.
    with rigs.serve_grpc(folder, model) as (address, pid), rigs.grpc_echo() as (echo, echo_pid), rigs.grpc_echo(model) as (bare, bare_pid):
        for side in (pid, echo_pid, bare_pid):
            rigs.pin(side, 0)
        ours, theirs, in_place = ({"p50": [], "p99": []} for _ in range(3))
        for _ in range(ROUNDS):
            mine, call, echoed, whole = load(address, path, 2), raw_call(model), load(echo, path, 2), load(bare, path, 2)
            for quantile in ("p50", "p99"):
                ours[quantile].append(mine[f"{quantile}_us"])
                theirs[quantile].append(echoed[f"{quantile}_us"] + call[f"{quantile}_us"])
                in_place[quantile].append(whole[f"{quantile}_us"])
    for quantile in ("p50", "p99"):
        report("inference", f"infer_grpc_{quantile}", "us", ours[quantile], "bare grpc++ echo + raw ONNX Runtime", theirs[quantile])
        report("inference", f"infer_grpc_{quantile}_in_place", "us", ours[quantile], "bare grpc++ server that makes the raw call", in_place[quantile])


def bench_http(folder: pathlib.Path) -> None:
    for quantile, sides in infer_http(folder, ROUNDS).items():
        report("inference", f"infer_http_{quantile}", "us", sides["ours"], "bare Beast echo + raw ONNX Runtime", sides["apart"])
        report("inference", f"infer_http_{quantile}_in_place", "us", sides["ours"], "bare Beast server that makes the raw call", sides["in_place"])


WRK = """
wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
"""


def wrk(url: str, script: pathlib.Path) -> float:
    """Requests a second of sixteen connections of wrk."""
    out = subprocess.run(["wrk", "--threads", "1", "--connections", "16", "--duration", "3s", "--script", script, url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"{url}: {out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def bench_mlserver(folder: pathlib.Path) -> None:
    """Both take the same JSON request of the digits network, from sixteen connections of our load generator and of wrk."""
    model = rigs.digits_model(folder)
    (folder / "digit.json").write_bytes(JSON_DIGIT)
    (folder / "digit.lua").write_text(WRK.format(body=folder / "digit.json"))
    rates: dict[str, list[float]] = {"ours": [], "mlserver": []}
    by_wrk: dict[str, list[float]] = {"ours": [], "mlserver": []}
    with rigs.serve(folder / "beside-mlserver", model) as (address, _), rigs.mlserver(folder, model) as peer:
        for round_ in range(ROUNDS):
            for side, where in (("ours", address), ("mlserver", peer)):
                request = raw("POST", "/v2/models/digits/infer", where, {"Content-Type": "application/json"}, JSON_DIGIT)
                rates[side].append(load_http(where, [request], 16, 3, round_, folder)["rate"])
                by_wrk[side].append(wrk(f"http://{where}/v2/models/digits/infer", folder / "digit.lua"))
    report("inference", "mlp_vs_mlserver", "1/s", rates["ours"], "MLServer", rates["mlserver"])
    report("inference", "mlp_vs_mlserver_wrk", "1/s", by_wrk["ours"], "MLServer", by_wrk["mlserver"])


def bench_loading(folder: pathlib.Path) -> None:
    """What loading a model that was loaded before takes over the raw runtime's making of its session, and the server's memory with the digits network."""
    for name, (path, _) in tuning.models(folder).items():
        added = []
        with rigs.serve_data(folder / f"loading-{name}", path) as run:
            for _ in range(ROUNDS):
                rigs.post(run["http"], "/v2/repository/models/m/unload")
                begin = time.monotonic()
                rigs.post(run["http"], "/v2/repository/models/m/load")
                took = time.monotonic() - begin
                added.append(1000 * (took - session_seconds(path)))
        report("inference", f"load_cached_{name}", "ms", added, "limit")
    sizes = []
    for round_ in range(ROUNDS):
        with rigs.serve(folder / f"mlp-{round_}", rigs.digits_model(folder)) as (address, pid):
            load_http(address, [binary_request(address)], 4, 1, round_, folder)
            sizes.append(rigs.pss_mib(pid))
    report("inference", "mlp_pss", "MiB", sizes, "limit")


def session_seconds(model: pathlib.Path) -> float:
    """The raw runtime's making of a session, in a process of its own that has loaded the runtime already."""
    script = ("import sys, time, onnxruntime; begin = time.monotonic(); "
              "onnxruntime.InferenceSession(sys.argv[1]); print(time.monotonic() - begin)")
    return float(subprocess.run([sys.executable, "-c", script, model], check=True, capture_output=True, text=True).stdout)


def load_local(socket: pathlib.Path) -> dict:
    command = [rigs.BIN / "bench_local_load", socket, "digits", "pixels", "probabilities", "20000"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def bench_local(folder: pathlib.Path) -> None:
    """What the local door adds to the raw call, and both beside a bare process that makes it when a message wakes it."""
    model, socket, bare = rigs.digits_model(folder), folder / "local.sock", folder / "bare.sock"
    added, ours, in_place = {"p50": [], "p99": []}, [], []
    serve = [rigs.BIN / "holdfast-serve", "--data", folder / "serve-local", "--listen", "127.0.0.1:0", "--grpc", "", "--local", socket]
    with rigs.process(serve, folder / "serve-local.log"), rigs.local_echo(bare, model):
        run = rigs.wait_for("serve ready", 20, lambda: rigs.run_file(folder / "serve-local/run.json"))
        rigs.put_model(run["http"], "digits", model)
        for _ in range(ROUNDS):
            mine, floor = load_local(socket), raw_call(model)
            for quantile in added:
                added[quantile].append(mine[f"{quantile}_us"] - floor[f"{quantile}_us"])
            ours.append(mine["p50_us"])
            in_place.append(load_local(bare)["p50_us"])
    for quantile, rounds in added.items():
        report("inference", f"local_over_raw_{quantile}", "us", rounds, "limit")
    report("inference", "infer_local_p50_in_place", "us", ours, "bare process on a Unix socket that makes the raw call", in_place)


def bench_loadgen(folder: pathlib.Path) -> None:
    """LoadGen's four scenarios, its client in Python on both sides. Unofficial: figures of LoadGen, no MLPerf results."""
    model = rigs.digits_model(folder)
    for scenario, metric, unit, scale in (("SingleStream", "single_stream_p90", "us", 1e-3), ("MultiStream", "multi_stream_p99", "us", 1e-3),
                                          ("Offline", "offline", "samples/s", 1), ("Server", "server_200qps_p99", "us", 1e-3)):
        sides = {"ours": [], "raw": []}
        (folder / f"loadgen-{scenario}").mkdir()
        with rigs.serve(folder / f"loadgen-{scenario}", model) as (address, _):
            for _ in range(3):
                for side, where in (("ours", address), ("raw", "raw")):
                    out = subprocess.run([sys.executable, ROOT / "bench/loadgen.py", scenario, where, model, "4"], check=True, capture_output=True, text=True)
                    sides[side].append(scale * json.loads(out.stdout.strip().splitlines()[-1])["figure"])
        report("inference", f"loadgen_unofficial_{metric}", unit, sides["ours"], "raw ONNX Runtime in the same LoadGen process", sides["raw"])


def bench_pipeline(folder: pathlib.Path) -> None:
    """A pipeline of one step beside the step itself; one of three steps with 600 KB between them beside a client's three requests."""
    from onnx import TensorProto, helper
    picture = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 224, 224]) for name in ("x", "y")]
    relu = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", picture[:1], picture[1:]),
                             opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "relu.onnx").write_bytes(relu.SerializeToString())
    for metric, model, ports, shape, steps in (("pipeline_of_one_mlp", rigs.digits_model(folder), ("pixels", "probabilities"), "t0=1,64", 1),
                                               ("pipeline_of_three_600k", folder / "relu.onnx", ("x", "y"), "t0=1,3,224,224", 3)):
        lines = [f"    - {{model: m, inputs: {{{ports[0]}: t{i}}}, outputs: {{{ports[1]}: t{i + 1}}}}}\n" for i in range(steps)]
        (folder / "pipeline.yaml").write_text(f"pipeline:\n  inputs: [t0]\n  outputs: [t{steps}]\n  steps:\n" + "".join(lines))
        ours, theirs = [], []
        with rigs.serve_data(folder / metric, model) as run:
            rigs.put_model(run["http"], "p", folder / "pipeline.yaml")
            for _ in range(ROUNDS):
                ours.append(tuning.load(run, shape, 1, "p")["per_second"])
                theirs.append(tuning.load(run, shape.replace("t0", ports[0]), 1)["per_second"] / steps)
        report("inference", metric, "/s", ours, "the same without a pipeline, a request a step", theirs)


def bench_idle(folder: pathlib.Path) -> None:
    sizes = []
    for round_ in range(ROUNDS):
        with rigs.serve_grpc(folder / f"idle-{round_}", None) as (_, pid):
            time.sleep(1)
            sizes.append(rigs.pss_mib(pid))
    report("inference", "idle_pss", "MiB", sizes, "limit")


def main() -> None:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    parts = {"http": bench_http, "grpc": bench_grpc, "local": bench_local, "loadgen": bench_loadgen, "idle": bench_idle, "mlserver": bench_mlserver, "loading": bench_loading,
             "tuned": tuning.bench_tuned, "int8": tuning.bench_int8, "pipeline": bench_pipeline, "saturation": tuning.bench_saturation}
    try:
        for name in sys.argv[1:] or parts:
            parts[name](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
