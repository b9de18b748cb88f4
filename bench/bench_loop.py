"""The loop's figures: inference over HTTP, small blobs, file → answer, idle memory, start-up. One run, sides interleaved."""
import json
import pathlib
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

import rigs
from loop_closed import bench_closed_loop
from lines import report

ROUNDS = 5
ROOT = pathlib.Path(__file__).resolve().parent.parent


def note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def raw(method: str, target: str, host: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in headers.items())]
    if body or method != "GET":
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def load(address: str, requests: list[bytes], connections: int, seconds: float, seed: int, folder: pathlib.Path, core: str = "") -> dict:
    """The load generator's figures; `core` keeps it on that one."""
    host, port = address.split(":")
    path = folder / f"requests-{port}.bin"
    with open(path, "wb") as file:
        for request in requests:
            file.write(struct.pack("<I", len(request)) + request)
    pinned = ["taskset", "--cpu-list", core] if core else []
    out = subprocess.run([*pinned, rigs.BIN / "bench_http_load", host, port, path, str(connections), str(seconds), str(seed)],
                         check=True, capture_output=True, text=True).stdout
    figures = json.loads(out)
    if figures["errors"]:
        raise SystemExit(f"{address}: {figures['errors']} errors, the first with status {figures['first_error']}")
    return figures


def bench_inference(folder: pathlib.Path) -> None:
    model = rigs.digits_model(folder)
    body = struct.pack("<64f", *([0.5] * 64))
    header = json.dumps({
        "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "parameters": {"binary_data_size": len(body)}}],
        "parameters": {"binary_data_output": True}}).encode()
    # Where the scheduler puts client and server decides more than either program does (20 or 60 µs for the same echo): each side
    # has a core of its own, the same for both.
    with rigs.serve(folder, model) as (address, pid), rigs.beast_echo() as (echo, echo_pid), rigs.beast_echo(model) as (bare, bare_pid):
        for side in (pid, echo_pid, bare_pid):
            rigs.pin(side, 0)
        request = raw("POST", "/v2/models/digits/infer", address,
                      {"Inference-Header-Content-Length": str(len(header)), "Content-Type": "application/octet-stream"}, header + body)
        ours, theirs, in_place = [], [], []
        for round_ in range(ROUNDS):
            ours.append(load(address, [request], 1, 2, round_, folder, "1")["p50_us"])
            floor = json.loads(subprocess.run([rigs.BIN / "bench_ort_floor", model, "20000"], check=True, capture_output=True, text=True).stdout)
            theirs.append(load(echo, [request], 1, 2, round_, folder, "1")["p50_us"] + floor["p50_us"])
            in_place.append(load(bare, [request], 1, 2, round_, folder, "1")["p50_us"])
    report("loop", "infer_http_p50", "us", ours, "bare Beast echo + raw ONNX Runtime", theirs)
    # The call in a loop of its own finds all in the first caches, which no server's call does; how much that is, the processor says.
    report("loop", "infer_http_p50_in_place", "us", ours, "bare Beast server that makes the raw call", in_place)


def signed_requests(endpoint: str, account: str, key: str, names: list[str], body: bytes) -> tuple[list[bytes], list[bytes]]:
    """GET and PUT of every blob, authorised by one account SAS made by the stock client's own code."""
    from datetime import datetime, timedelta, timezone

    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
    sas = generate_account_sas(account, key, ResourceTypes(object=True, container=True), AccountSasPermissions(read=True, write=True, create=True),
                               datetime.now(timezone.utc) + timedelta(hours=2))
    parts = urllib.parse.urlsplit(endpoint)
    version = {"x-ms-version": "2021-12-02"}
    gets = [raw("GET", f"{parts.path}/bench/{name}?{sas}", parts.netloc, version) for name in names]
    puts = [raw("PUT", f"{parts.path}/bench/{name}?{sas}", parts.netloc, {**version, "x-ms-blob-type": "BlockBlob"}, body) for name in names]
    return gets, puts


def bench_blobs(folder: pathlib.Path) -> None:
    names = [f"blob-{i:05d}" for i in range(10_000)]
    body = bytes(range(256)) * 16
    connections = 16
    with rigs.hub(folder) as ours, rigs.azurite(folder) as theirs:
        sides = {}
        for side in (ours, theirs):
            rigs.create_container(side, "bench")
            gets, puts = signed_requests(side["endpoint"], side["account"], side["key"], names, body)
            address = urllib.parse.urlsplit(side["endpoint"]).netloc
            note(f"{side['name']}: writing 10,000 blobs")
            rigs.send_each(address, puts)
            sides[side["name"]] = (address, gets, puts)
        rates: dict[tuple[str, str], list[float]] = {}
        for round_ in range(ROUNDS):
            for name, (address, gets, puts) in sides.items():
                for kind, requests in (("get", gets), ("put", puts)):
                    rates.setdefault((name, kind), []).append(load(address, requests, connections, 3, round_, folder)["rate"])
    for kind in ("get", "put"):
        report("loop", f"blob_{kind}_4k", "1/s", rates[("holdfast", kind)], "azurite (metadata not fsynced)", rates[("azurite", kind)])


def waits(flow: "rigs.Flow", files: list[pathlib.Path], per_second: float) -> list[float]:
    """Milliseconds from each file's rename to its durable answer."""
    begin = time.monotonic()
    for index, path in enumerate(files):
        time.sleep(max(0.0, begin + index / per_second - time.monotonic()))
        flow.drop(path, f"{index:05d}-{path.name}")
    return flow.collect(len(files), 60)


def bench_flow(folder: pathlib.Path) -> None:
    digits = rigs.digit_pictures(folder, 500)
    photos = rigs.photographs()
    rows: dict[str, list[float]] = {}
    for round_ in range(ROUNDS):
        for kind, files, rate in (("file", digits, 50.0), ("photo", photos, 5.0)):
            with rigs.flow(folder / f"{kind}-{round_}") as flow:
                found = sorted(waits(flow, files, rate))
            rows.setdefault(f"{kind}_p50", []).append(statistics.median(found))
            rows.setdefault(f"{kind}_p99", []).append(found[min(len(found) - 1, int(len(found) * 0.99))])
    for kind in ("file", "photo"):
        for quantile in ("p50", "p99"):
            report("loop", f"{kind}_to_answer_{quantile}", "ms", rows[f"{kind}_{quantile}"], "limit")


def bench_idle(folder: pathlib.Path) -> None:
    hub, edge, ready = [], [], []
    for round_ in range(ROUNDS):
        with rigs.hub(folder / f"idle-{round_}") as one:
            ready.append(one["ready_ms"])
            time.sleep(2)
            hub.append(rigs.pss_mib(one["pid"]))
        with rigs.flow(folder / f"idle-edge-{round_}") as flow:
            time.sleep(2)
            edge.append(rigs.pss_mib(flow.edge_pid))
    report("loop", "idle_hub_pss", "MiB", hub, "limit")
    report("loop", "idle_edge_pss", "MiB", edge, "limit")
    report("loop", "hub_ready", "ms", ready, "limit")


def main() -> None:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    try:
        for part in (bench_inference, bench_blobs, bench_flow, bench_idle, bench_closed_loop):
            note(part.__name__.replace("bench_", "part: "))
            part(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
