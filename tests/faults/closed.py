"""The closed loop under faults: daemons die or stand still while versions are learned; judged from outside."""
import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "examples/digits")]
from closed_loop import ClosedLoop, models, wait_until  # noqa: E402

PATIENCE = 120  # seconds for one version's whole way, however often its daemons die


def judge(loop: ClosedLoop, onnx: list[bytes]) -> list[str]:
    """What is there twice, half or not at all, after each of `onnx` was put as new data once."""
    problems = []
    count = len(onnx)
    data = loop.api("/api/v1/data/bench")["versions"]
    if len(data) != count:
        problems.append(f"{len(data)} data versions of {count} puts")
    versions = {int(row["version"]): row for row in loop.api("/api/v1/models/bench?limit=1000")["versions"]}
    if sorted(versions) != list(range(1, count + 1)):
        problems.append(f"model versions {sorted(versions)} of {count} jobs")
    for number, row in versions.items():
        if not row["image"] or row["image"]["model_digest"] != "sha256:" + hashlib.sha256(onnx[number - 1]).hexdigest():
            problems.append(f"version {number} has the image {row['image']}")
    tags = loop.api("/v2/models/bench/tags/list")["tags"]
    if sorted(tags) != sorted([*map(str, range(1, count + 1)), "latest"]):
        problems.append(f"the registry has the tags {tags}")
    for trigger, good in (("retrain", {"completed"}), ("gate", {"deployed", "superseded"})):
        rows = loop.api(f"/api/v1/firings?trigger={trigger}&limit=1000")["firings"]
        if sorted(int(row["version"]) for row in rows) != list(range(1, count + 1)):
            problems.append(f"{trigger} fired on {[row['version'] for row in rows]}")
        problems += [f"{trigger} of {row['version']} is {row['state']}: {row['reason']}" for row in rows if row["state"] not in good]
    jobs = loop.api("/api/v1/jobs?limit=1000")["jobs"]
    if len(jobs) != 2 * count - 1:
        problems.append(f"{len(jobs)} jobs for {count} versions")
    for job in jobs:
        runs = loop.api("/api/2.0/mlflow/runs/search", "POST", {"experiment_ids": ["0"], "filter": f"tags.`holdfast.job` = '{job['name']}'"}).get("runs", [])
        ends = sorted(run["info"]["status"] for run in runs)
        if job["status"] != "Completed" or ends.count("FINISHED") != 1 or set(ends) - {"FINISHED", "KILLED"}:
            problems.append(f"job {job['name']} is {job['status']}, its runs are {ends}")
    if loop.serving("bench") != count:
        problems.append(f"the device serves {loop.serving('bench')}")
    return problems


def arrived(loop: ClosedLoop, version: int) -> bool:
    gate = loop.firing("gate", version)
    return bool(gate) and gate["state"] == "deployed" and loop.serving("bench") == version


class Killer(threading.Thread):
    """kill -9 of a random daemon that is up, at random moments. What starts them again waits longer each time."""

    def __init__(self, loop: ClosedLoop, seed: int, most: int):
        super().__init__(daemon=True)
        self.loop, self.random, self.most, self.kills, self.ending = loop, random.Random(seed), most, 0, threading.Event()

    def run(self) -> None:
        while self.kills < self.most and not self.ending.wait(self.random.uniform(0.1, 2.0)):
            self.kills += self.loop.kill(self.random.choice(["hub", "hub", "edge", "serve"]))


def kill_run(folder: pathlib.Path, seed: int, kills: int) -> dict:
    """Versions come one after the other until so many kills have hit; returns the judgement."""
    loop = ClosedLoop(folder)
    made = models(folder, 40)
    killer = Killer(loop, seed, kills)
    put: list[bytes] = []
    try:
        loop.triggers()
        killer.start()
        while killer.kills < kills and len(put) < len(made):
            put.append(made[len(put)])
            loop.put_labels(put[-1])
            wait_until(f"version {len(put)} on the device", PATIENCE, lambda: arrived(loop, len(put)), 0.05)
        killer.ending.set()
        killer.join()
        wait_until("the last version after the last kill", PATIENCE, lambda: arrived(loop, len(put)), 0.05)
        return {"kills": killer.kills, "versions": len(put), "problems": judge(loop, put)}
    finally:
        killer.ending.set()
        loop.stop()


class Asking(threading.Thread):
    """A client of the device's model; its failures are what a user would see."""

    def __init__(self, loop: ClosedLoop):
        super().__init__(daemon=True)
        self.url = f"http://{loop.at['serve']}/v2/models/bench/infer"
        self.body = json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}]}).encode()
        self.answered, self.failures, self.ending = 0, [], threading.Event()

    def run(self) -> None:
        while not self.ending.wait(0.01):
            try:
                urllib.request.urlopen(urllib.request.Request(self.url, self.body, {"Content-Type": "application/json"}), timeout=20).read()
                self.answered += 1
            except OSError as error:
                self.failures.append(str(error))


STEPS = {  # by the newest firing's state
    "at rest": lambda loop, version: True,
    "training": lambda loop, version: loop.firing("retrain", version),
    "comparing": lambda loop, version: (one := loop.firing("gate", version)) and one["state"] in ("evaluating", "deploying", "deployed"),
    "deploying": lambda loop, version: (one := loop.firing("gate", version)) and one["state"] in ("deploying", "deployed"),
}


def away_run(folder: pathlib.Path, seconds: float) -> dict:
    """The hub stands still for so long at each step; the device goes on answering, and everything catches up."""
    loop = ClosedLoop(folder)
    made = models(folder, len(STEPS) + 1)
    asking = Asking(loop)
    try:
        loop.triggers()
        loop.put_labels(made[0])
        wait_until("version 1", PATIENCE, lambda: arrived(loop, 1))
        asking.start()
        for version, (_step, reached) in enumerate(STEPS.items(), 2):
            if version > 2:
                loop.put_labels(made[version - 1])
            wait_until("the step", PATIENCE, lambda version=version, reached=reached: reached(loop, version))
            hub = loop.pid("hub")
            os.kill(hub, signal.SIGSTOP)
            if version == 2:  # data that arrive while it is away
                loop.put_labels(made[1])
            before = asking.answered
            time.sleep(seconds)
            still = asking.answered - before
            os.kill(hub, signal.SIGCONT)
            assert still > 0, "no answer while the hub was away"
            wait_until(f"version {version}", PATIENCE + 2 * seconds, lambda version=version: arrived(loop, version), 0.05)
        asking.ending.set()
        asking.join()
        return {"answered": asking.answered, "failures": asking.failures, "problems": judge(loop, made)}
    finally:
        asking.ending.set()
        with contextlib.suppress(OSError, TypeError):
            os.kill(loop.pid("hub"), signal.SIGCONT)
        loop.stop()
