"""The loop's figures: inference over HTTP, small blobs, file → answer, idle memory, start-up. One run, sides interleaved."""
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse

import rigs
from http_floor import infer_http, load, raw
from loop_closed import bench_closed_loop
from lines import report

ROUNDS = 5
ROOT = pathlib.Path(__file__).resolve().parent.parent


def note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def bench_inference(folder: pathlib.Path) -> None:
    p50 = infer_http(folder, ROUNDS)["p50"]
    report("loop", "infer_http_p50", "us", p50["ours"], "bare Beast echo + raw ONNX Runtime", p50["apart"])
    report("loop", "infer_http_p50_in_place", "us", p50["ours"], "bare Beast server that makes the raw call", p50["in_place"])


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
