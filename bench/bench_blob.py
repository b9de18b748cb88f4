"""`make bench BENCH=blob[.line]`: the blob store beside nginx, MinIO and Azurite: same disk, same load generator, all signed, rounds interleaved.

BENCH_SMALL=1 proves in a minute that each line works; its figures say nothing.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import rigs
from blob_peers import Side, Wire, azurite, holdfast, minio, nginx
from lines import report

SMALL = bool(os.environ.get("BENCH_SMALL"))
ROUNDS = 2 if SMALL else 5
SECONDS = 1 if SMALL else 4
BLOBS = 2_000 if SMALL else 100_000
MILLION = 20_000 if SMALL else 1_000_000
FEW = 10_000
LARGE = (16 if SMALL else 256) << 20
BODY = bytes(range(256)) * 16


def note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def flushes() -> int:
    """Cache flushes that all disks were asked for so far."""
    return sum(int(words[15]) for path in pathlib.Path("/sys/block").glob("*/stat") if len(words := path.read_text().split()) > 15)


written: dict[pathlib.Path, bytes] = {}


def load(side: Side, requests, connections: int, seconds: float, seed: int, folder: pathlib.Path, body: bytes = b"", once: bool = False) -> dict:
    """The load generator's figures, with the server's CPU seconds and the disk's flushes beside."""
    path, content = folder / "requests.bin", folder / "body.bin"
    with open(path, "wb") as file:
        for request in requests:
            file.write(struct.pack("<I", len(request)) + request)
    if written.get(content) is not body:
        with open(content, "wb") as file:
            file.write(body)
            os.fsync(file.fileno())  # not beside the requests, on the disk that is measured
        written[content] = body
    host, port = side.address.split(":")
    before, flushed = side.cpu(), flushes()
    out = subprocess.run([rigs.BIN / "bench_http_load", host, port, path, str(connections), str(seconds), str(seed), content, *(["once"] if once else [])],
                         check=False, capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(f"{side.name}: {out.stderr.strip()}")
    figures = json.loads(out.stdout)
    if figures["errors"]:
        raise SystemExit(f"{side.name}: {figures['errors']} errors, the first with status {figures['first_error']}")
    return {**figures, "cpu": side.cpu() - before, "flushes": flushes() - flushed}


def fill(side: Side, names: list[str], folder: pathlib.Path, body: bytes) -> None:
    """Each name once."""
    begin = time.monotonic()
    for first in range(0, len(names), 50_000):
        part = names[first:first + 50_000]
        done = load(side, (side.request("PUT", name, len(body)) for name in part), 32, 3600, 0, folder, body, once=True)
        if done["requests"] != len(part):
            raise SystemExit(f"{side.name} took {done['requests']} of {len(part)} blobs")
    note(f"{side.name}: {len(names)} blobs in {time.monotonic() - begin:.0f} s")


def beside(rows: dict[str, list[dict]], sides: list[Side]) -> None:
    for side in sides:
        runs = rows[side.name]
        note(f"{side.name}: {1e6 * sum(row['cpu'] for row in runs) / sum(row['requests'] for row in runs):.1f} CPU µs and "
             f"{sum(row['flushes'] for row in runs) / sum(row['requests'] for row in runs):.2f} disk flushes a request; p99 "
             f"{statistics.median(row['p99_us'] for row in runs) / 1000:.1f} ms; {side.syncs}")


def rates(metric: str, rows: dict[str, list[dict]], peers: list[str]) -> None:
    for peer in peers:
        report("blob", f"{metric}_vs_{peer}", "1/s", [row["rate"] for row in rows["holdfast"]], peer, [row["rate"] for row in rows[peer]])


def get_4k(folder: pathlib.Path) -> None:
    names = [f"blob-{number:06}" for number in range(BLOBS)]
    with holdfast(folder) as ours, nginx(folder) as files, minio(folder) as s3, azurite(folder) as node:
        for name in names:
            (files.files / name).write_bytes(BODY)
        sides, gets, rows = [ours, files, s3, node], {}, {}
        for side in sides:
            if side is not files:
                fill(side, names, folder, BODY)
            gets[side.name] = [side.request("GET", name) for name in names]
        for round_ in range(ROUNDS):
            for side in sides:
                rows.setdefault(side.name, []).append(load(side, gets[side.name], 16, SECONDS, round_, folder))
        beside(rows, sides)
        rates("get_4k", rows, ["nginx", "minio", "azurite"])


def put_4k(folder: pathlib.Path) -> None:
    with holdfast(folder) as ours, minio(folder) as s3, azurite(folder) as node:
        sides, rows = [ours, s3, node], {}
        for round_ in range(ROUNDS):
            for side in sides:
                puts = [side.request("PUT", os.urandom(12).hex(), len(BODY)) for _ in range(30_000 * SECONDS if side is ours else 3_000 * SECONDS)]
                rows.setdefault(side.name, []).append(load(side, puts, 32, SECONDS, round_, folder, BODY, once=True))
        beside(rows, sides)
        rates("put_4k", rows, ["minio", "azurite"])
        report("blob", "put_4k_p99", "ms", [row["p99_us"] / 1000 for row in rows["holdfast"]], "limit")


def get_256m(folder: pathlib.Path) -> None:
    with holdfast(folder) as ours, minio(folder) as s3:
        rows: dict[str, list[float]] = {}
        for side in (ours, s3):
            load(side, [side.request("PUT", "large", LARGE)], 1, 600, 0, folder, os.urandom(LARGE), once=True)
        for round_ in range(ROUNDS):
            for side in (ours, s3):
                done = load(side, [side.request("GET", "large")] * 4, 1, 600, round_, folder, once=True)
                rows.setdefault(side.name, []).append(done["cpu"] / (4 * LARGE / 1e9))
                note(f"{side.name}: {4 * LARGE / 1e9 * done['rate'] / 4:.2f} GB/s")
        report("blob", "get_256m_cpu", "s/GB", rows["holdfast"], "minio", rows["minio"])


def put_256m(folder: pathlib.Path) -> None:
    body = os.urandom(LARGE)
    with holdfast(folder) as ours, minio(folder) as s3:
        rows: dict[str, list[float]] = {}
        for round_ in range(ROUNDS):
            for side in (ours, s3):
                done = load(side, [side.request("PUT", f"large-{round_}", LARGE)], 1, 600, round_, folder, body, once=True)
                rows.setdefault(side.name, []).append(done["rate"] * LARGE / 1e6)
                note(f"{side.name}: {done['cpu'] / (LARGE / 1e9):.2f} CPU s/GB; {side.syncs}")
        report("blob", "put_256m", "MB/s", rows["holdfast"], "minio", rows["minio"])


def put_256m_blocks(folder: pathlib.Path) -> None:
    """As the stock clients upload it: in parts, each on disk when it is answered; one connection."""
    body = memoryview(os.urandom(LARGE))
    with holdfast(folder) as ours, minio(folder) as s3:
        rows: dict[str, list[float]] = {}
        for side in (ours, s3):
            with Wire(side.address) as wire:
                side.put_in_parts(wire, "first", body)
        for round_ in range(ROUNDS):
            for side in (ours, s3):
                before, flushed = side.cpu(), flushes()
                with Wire(side.address) as wire:
                    begin = time.monotonic()
                    side.put_in_parts(wire, f"large-{round_}", body)
                    rows.setdefault(side.name, []).append(LARGE / 1e6 / (time.monotonic() - begin))
                note(f"{side.name}: {(side.cpu() - before) / (LARGE / 1e9):.2f} CPU s/GB, {flushes() - flushed} disk flushes; {side.syncs}")
        report("blob", "put_256m_blocks", "MB/s", rows["holdfast"], "minio", rows["minio"])


def list_time(side: Side, queries: list[dict[str, str]]) -> float:
    """Milliseconds for one page of 5,000 names, however many requests the protocol needs."""
    host, port = side.address.split(":")
    found = 0
    with socket.create_connection((host, int(port))) as wire, wire.makefile("rb") as answers:
        begin = time.monotonic()
        for query in queries:
            wire.sendall(side.request("GET", "", query=query))
            status, length, chunked = answers.readline(), 0, False
            while (line := answers.readline()) not in (b"\r\n", b""):
                length = int(line[15:]) if line.lower().startswith(b"content-length:") else length
                chunked = chunked or line.lower().startswith(b"transfer-encoding: chunked")
            body = answers.read(length)
            while chunked and (size := int(answers.readline(), 16)):
                body += answers.read(size)
                answers.readline()
            if chunked:
                answers.readline()
            if b" 200 " not in status:
                raise SystemExit(f"{side.name}: {status!r} {body[:300]!r}")
            found += body.count(b"<Name>") if side.name != "minio" else body.count(b"<Key>")
        took = 1000 * (time.monotonic() - begin)
    if found != min(5000, 1000 * len(queries)) and side.name == "minio" or side.name != "minio" and found != 5000:
        raise SystemExit(f"{side.name} listed {found} of 5,000")
    return took


def key(number: int) -> str:
    return f"folder-{number % 100:02}/blob-{number:08}"


def list_5000(folder: pathlib.Path) -> None:
    """MinIO's pages hold 1,000, so it is asked five times; it has a tenth of our blobs, for filling it takes too long."""
    few, small = folder / "few", folder / "peer"
    few.mkdir()
    small.mkdir()
    with holdfast(folder) as ours, holdfast(few) as little, minio(small) as s3:
        fill(ours, [key(number) for number in range(MILLION)], folder, b"x")
        fill(little, [key(number) for number in range(FEW)], folder, b"x")
        theirs = sorted(key(number) for number in range(MILLION // 10 if not SMALL else FEW))
        fill(s3, theirs, folder, b"x")
        middle = len(theirs) // 3
        rows: dict[str, list[float]] = {"ours": [], "few": [], "minio": []}
        page = {"restype": "container", "comp": "list", "maxresults": "5000"}
        for round_ in range(2 * ROUNDS):
            rows["ours"].append(list_time(ours, [page]))
            rows["few"].append(list_time(little, [page]))
            rows["minio"].append(list_time(s3, [{"list-type": "2", "max-keys": "1000", "start-after": theirs[middle + 1000 * part]} for part in range(5)]))
        report("blob", "list_5000", "ms", rows["ours"], "minio", rows["minio"])
        report("blob", "list_5000_flat", "ms", rows["ours"], f"{FEW} blobs", rows["few"])


def resident(pid: int) -> float:
    return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)) / 1024


def memory(folder: pathlib.Path) -> None:
    """With a million blobs: started, idle, under 1,000 connections."""
    with holdfast(folder) as ours:
        fill(ours, [key(number) for number in range(MILLION)], folder, b"x")
        note(f"after filling: {resident(ours.pid):.1f} MiB")
        requests = [ours.request("GET", key(number)) for number in range(0, MILLION, 10)]
        time.sleep(3)
        after_load = resident(ours.pid)
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(socket.create_connection(tuple(ours.address.split(":")))) for _ in range(1000)]
            for wire in wires[::4]:
                wire.sendall(requests[0])
            load(ours, requests, 64, SECONDS, 0, folder)
            thousand = resident(ours.pid)
    starts, idle = [], []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        with rigs.process([rigs.BIN / "holdfast-hub", "--data", folder / "hub", "--listen-http", "127.0.0.1:0", "--listen-blob", "127.0.0.1:0"], folder / "again.log") as child:
            rigs.wait_for("hub ready", 120, lambda: (run := rigs.run_file(folder / "hub/run.json")) and run["pid"] == child.pid)
            starts.append(time.monotonic() - begin)
            time.sleep(2)
            idle.append(resident(child.pid))
    report("blob", "start_1m", "s", starts, "limit")
    report("blob", "memory_idle", "MiB", [max(after_load, *idle)], "limit")
    report("blob", "memory_1000", "MiB", [thousand], "limit")


LINES = {line.__name__: line for line in (get_4k, put_4k, get_256m, put_256m, put_256m_blocks, list_5000, memory)}


def main() -> None:
    names = sys.argv[1:] or list(LINES)
    for name in names:
        if name not in LINES:
            sys.exit(f"no line '{name}'; there are {', '.join(LINES)}")
    for name in names:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=rigs.ROOT / "build"))
        folder.chmod(0o755)
        try:
            note(f"part: {name}")
            LINES[name](folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
