"""The blob campaigns: what kills, power cuts, failed syncs, a full disk or flipped bits lose."""
import contextlib
import hashlib
import os
import pathlib
import random
import subprocess
import time

from azure.core.exceptions import AzureError, HttpResponseError
from blob_hub import Hub
from blob_load import Load
from disk import Disk
from loop import BIN


SYNC_FAILED = 74  # the hub's exit code where a commit could not be synced


def quiet(text: str) -> None:
    pass


def trials(hub: Hub, seed: int, count: int, report, harm, mend) -> dict:
    """`count` times: load for a random time, `harm`, the hub killed, `mend`, the hub again, everything judged."""
    generator = random.Random(seed)
    load = Load(hub, seed)
    problems: list[str] = []
    try:
        for done in range(1, count + 1):
            time.sleep(generator.uniform(0.02, 0.6))
            harm(load, generator)
            hub.kill()
            load.pause()
            mend()
            hub.start()
            found = load.judge()
            problems += found
            if done % 20 == 0 or found:
                report(f"{done} of {count}, {load.acknowledged()} acknowledged, {len(problems)} problems")
            load.resume()
        load.pause()
        problems += load.judge()
        return {"trials": count, "acknowledged": load.acknowledged(), "refused": sum(writer.failures for writer in load.writers), "kinds": load.kinds, "problems": problems}
    finally:
        load.stop()
        hub.stop()


def kill_run(folder: pathlib.Path, seed: int, count: int, programs: pathlib.Path = BIN, environment: dict[str, str] | None = None, report=quiet) -> dict:
    """`kill -9` at random moments of the load."""
    folder.mkdir(parents=True)
    return trials(Hub(folder, programs, environment).start(), seed, count, report, lambda load, generator: None, lambda: None)


def power_run(folder: pathlib.Path, seed: int, count: int, programs: pathlib.Path = BIN, environment: dict[str, str] | None = None, report=quiet) -> dict:
    """The disk's power goes at random moments of the load: what was not synced is gone."""
    folder.mkdir(parents=True)
    disk = Disk(folder, 512)

    def harm(load: Load, generator: random.Random) -> None:
        load.dark.set()
        disk.cut()
        time.sleep(generator.uniform(0, 0.03))

    def mend() -> None:
        disk.unmount()
        disk.mount()

    try:
        disk.mount()
        return trials(Hub(disk.at, programs, environment).start(), seed, count, report, harm, mend)
    finally:
        disk.close()


def sync_run(folder: pathlib.Path, seed: int, count: int, programs: pathlib.Path = BIN, environment: dict[str, str] | None = None, report=quiet) -> dict:
    """For a while every third fsync fails; what is answered even then is there after a kill, the rest is refused and may be there or not."""
    folder.mkdir(parents=True)
    shim, sign = folder / "failing_sync.so", folder / "broken"
    subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", shim, pathlib.Path(__file__).parent / "failing_sync.c"], check=True)

    def harm(load: Load, generator: random.Random) -> None:
        load.unsure.set()
        sign.touch()
        time.sleep(generator.uniform(0.1, 0.5))
        stopped.append(hub.process.poll())

    hub = Hub(folder, programs, {**(environment or {}), "LD_PRELOAD": str(shim), "FAIL_SYNC": str(sign)}).start()
    stopped: list[int | None] = []
    verdict = trials(hub, seed, count, report, harm, sign.unlink)
    verdict["problems"] += [f"the hub ended with {code} where a sync failed" for code in stopped if code not in (None, SYNC_FAILED)]
    return {**verdict, "stopped": stopped.count(SYNC_FAILED)}


def full_run(folder: pathlib.Path, seed: int, count: int, programs: pathlib.Path = BIN, environment: dict[str, str] | None = None, report=quiet) -> dict:
    """A disk is filled to its end `count` times: reads and deletes go on, and after them writes, without a restart."""
    folder.mkdir(parents=True)
    disk = Disk(folder, 160)
    generator = random.Random(seed)
    problems: list[str] = []
    kept: dict[str, str] = {}
    refused = acknowledged = 0
    disk.mount()
    hub = Hub(disk.at, programs, environment).start()
    try:
        container = hub.client().get_container_client("full")
        container.create_container()
        for trial in range(count):
            for number in range(2000):
                name, content = f"{trial}-{number}", generator.randbytes(generator.choice([4_000, 200_000, 3_000_000]))
                try:
                    container.upload_blob(name, content)
                    kept[name] = hashlib.sha256(content).hexdigest()
                    acknowledged += 1
                except HttpResponseError as error:
                    refused += 1
                    if error.status_code not in (500, 503, 507):
                        problems.append(f"a full disk is answered with {error.status_code} {error.error_code}")
                    if refused % 5 == 0:
                        break
                except AzureError as error:  # an answer while the body is still being sent
                    refused += 1
                    report(f"cut while writing: {type(error).__name__}")
            problems += [f"not read on a full disk: {name}" for name in different(container, kept)]
            for name in generator.sample(sorted(kept), len(kept) * 2 // 3):
                try:
                    container.delete_blob(name)
                    del kept[name]
                except AzureError as error:
                    problems.append(f"no delete on a full disk: {name}: {str(error).splitlines()[0]}")
                    break
            deadline = time.monotonic() + 90  # the sweep gives the space back
            while time.monotonic() < deadline:
                with contextlib.suppress(AzureError):
                    container.upload_blob("again", generator.randbytes(1_000_000), overwrite=True)
                    break
                time.sleep(0.5)
            else:
                problems.append("no write after the deletes")
            report(f"{trial + 1} of {count}, {acknowledged} acknowledged, {refused} refused, {len(problems)} problems")
        hub.kill()
        hub.start()
        problems += [f"lost: {name}" for name in different(container, kept)]
        return {"trials": count, "acknowledged": acknowledged, "refused": refused, "kinds": ["put", "delete"], "problems": problems}
    finally:
        hub.stop()
        disk.close()


def different(container, kept: dict[str, str]) -> list[str]:
    """Those that are not what was written, or cannot be read."""
    wrong = []
    for name, digest in kept.items():
        try:
            if hashlib.sha256(container.download_blob(name).readall()).hexdigest() != digest:
                wrong.append(name)
        except AzureError:
            wrong.append(name)
    return wrong


def flips_run(folder: pathlib.Path, seed: int, count: int, programs: pathlib.Path = BIN, environment: dict[str, str] | None = None, report=quiet) -> dict:
    """One bit of each of `count` blobs is turned on the disk: every read of them fails, every other blob is whole."""
    folder.mkdir(parents=True)
    generator = random.Random(seed)
    problems: list[str] = []
    detected = 0
    hub = Hub(folder, programs, environment).start()
    try:
        container = hub.client().get_container_client("flips")
        container.create_container()
        for first in range(0, count, 100):
            harmed, whole = {}, {}
            for number in range(first, min(first + 100, count)):
                for kind, kept in (("harmed", harmed), ("whole", whole)):
                    content = generator.randbytes(generator.choice([64, 4096, 100_000, 700_000]))
                    kept[f"{kind}-{number}"] = content
                    container.upload_blob(f"{kind}-{number}", content)
            running = generator.random() < 0.5  # half of them under a running hub
            if not running:
                hub.kill()
            places = flip(folder / "hub/content", harmed, generator)
            if not running:
                hub.start()
            problems += [f"not found on the disk: {name}" for name in harmed if name not in places]
            for name, content in harmed.items():
                try:
                    served = container.download_blob(name, max_concurrency=1).readall()
                    problems.append(f"served: {name}, turned at {places.get(name)}" + ("" if served != content else " (and is whole)"))
                except AzureError:
                    detected += 1
            digests = {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()}
            problems += [f"lost: {name}" for name in different(container, digests)]
            report(f"{min(first + 100, count)} of {count} flips, {detected} detected, {len(problems)} problems")
        return {"trials": count, "acknowledged": 2 * count, "refused": detected, "kinds": ["flip"], "problems": problems}
    finally:
        hub.stop()


def flip(content: pathlib.Path, blobs: dict[str, bytes], generator: random.Random) -> dict[str, tuple[str, int]]:
    """Turns one bit of each blob where its bytes lie, found by what they are: the harness knows no format."""
    places: dict[str, tuple[str, int]] = {}
    for path in sorted(content.rglob("*")):
        if not path.is_file():
            continue
        stored = path.read_bytes()
        with open(path, "r+b") as file:
            for name, wanted in blobs.items():
                at = stored.find(wanted[:32])
                if at < 0:
                    continue
                at += generator.randrange(32)  # the first bytes are surely where they were found
                os.pwrite(file.fileno(), bytes([stored[at] ^ (1 << generator.randrange(8))]), at)
                places[name] = (path.name, at)
    return places


SUITES = {"blob": kill_run, "power": power_run, "sync": sync_run, "full": full_run, "flips": flips_run}
