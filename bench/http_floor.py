"""Inference over HTTP beside what no server can be without: a bare Beast server's exchange of the same bytes, and the raw runtime's call."""
import json
import pathlib
import struct
import subprocess

import rigs


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


def raw_call(model: pathlib.Path) -> dict:
    """The raw runtime's call in a loop of its own: microseconds."""
    return json.loads(subprocess.run([rigs.BIN / "bench_ort_floor", model, "20000"], check=True, capture_output=True, text=True).stdout)


def binary_request(address: str) -> bytes:
    """Of one digit, with binary tensors both ways."""
    body = struct.pack("<64f", *([0.5] * 64))
    header = json.dumps({
        "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "parameters": {"binary_data_size": len(body)}}],
        "parameters": {"binary_data_output": True}}).encode()
    return raw("POST", "/v2/models/digits/infer", address,
               {"Inference-Header-Content-Length": str(len(header)), "Content-Type": "application/octet-stream"}, header + body)


def infer_http(folder: pathlib.Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Microseconds at one connection, by quantile: `ours`; `apart`, the bare server's echo and the raw call in a loop of its own, added up; `in_place`,
    a bare server that makes the raw call for each request. A loop of its own finds all in the first caches, which no server's call does."""
    model = rigs.digits_model(folder)
    figures = {quantile: {"ours": [], "apart": [], "in_place": []} for quantile in ("p50", "p99")}
    # Where the scheduler puts client and server decides more than either program does (20 or 60 µs for the same echo): each side
    # has a core of its own, the same for all.
    with rigs.serve(folder, model) as (address, pid), rigs.beast_echo() as (echo, echo_pid), rigs.beast_echo(model) as (bare, bare_pid):
        for side in (pid, echo_pid, bare_pid):
            rigs.pin(side, 0)
        request = binary_request(address)
        for round_ in range(rounds):
            mine = load(address, [request], 1, 2, round_, folder, "1")
            call = raw_call(model)
            echoed = load(echo, [request], 1, 2, round_, folder, "1")
            whole = load(bare, [request], 1, 2, round_, folder, "1")
            for quantile, sides in figures.items():
                key = f"{quantile}_us"
                sides["ours"].append(mine[key])
                sides["apart"].append(echoed[key] + call[key])
                sides["in_place"].append(whole[key])
    return figures
