"""The inference server's gRPC door beside a bare grpc++ echo and the raw runtime's call, and its idle memory. One run, sides interleaved."""
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import rigs
from lines import report

ROUNDS = 5
ROOT = pathlib.Path(__file__).resolve().parent.parent
METHOD = "/inference.GRPCInferenceService/ModelInfer"


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
    # As in the loop's bench: each side has a core of its own, the same for both.
    with rigs.serve_grpc(folder, model) as (address, pid), rigs.grpc_echo() as (echo, echo_pid):
        rigs.pin(pid, 0)
        rigs.pin(echo_pid, 0)
        ours, theirs = {"p50": [], "p99": []}, {"p50": [], "p99": []}
        for _ in range(ROUNDS):
            mine = load(address, path, 2)
            floor = json.loads(subprocess.run([rigs.BIN / "bench_ort_floor", model, "20000"], check=True, capture_output=True, text=True).stdout)
            bare = load(echo, path, 2)
            for quantile in ("p50", "p99"):
                ours[quantile].append(mine[f"{quantile}_us"])
                theirs[quantile].append(bare[f"{quantile}_us"] + floor[f"{quantile}_us"])
    for quantile in ("p50", "p99"):
        report("inference", f"infer_grpc_{quantile}", "us", ours[quantile], "bare grpc++ echo + raw ONNX Runtime", theirs[quantile])


def bench_idle(folder: pathlib.Path) -> None:
    sizes = []
    for round_ in range(ROUNDS):
        with rigs.serve_grpc(folder / f"idle-{round_}", None) as (_, pid):
            time.sleep(1)
            sizes.append(rigs.pss_mib(pid))
    report("inference", "idle_pss", "MiB", sizes, "limit")


def main() -> None:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    parts = {"grpc": bench_grpc, "idle": bench_idle}
    try:
        for name in sys.argv[1:] or parts:
            parts[name](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
