"""`make faults [SUITE=kill] [SEED=1] [N=50]`: the long campaigns. Those of kills and of blobs are resumable: what is done is kept in
build/faults, and a run that was interrupted goes on when it is called again.

  kill    kill -9 of hub, edge or serve at N random moments of the loop; nothing acknowledged is lost or doubled
  loop    the same while versions are learned, compared and deployed: no step is doubled, lost or half done
  away    the hub stands still for a minute at each of those steps; the device goes on answering (N is not used)
  swap    a model of one inference server changes its version N times under load of stock clients: 0 failed requests, flat memory
  plant   the same judgement must FIND a planted bug: a hub that acknowledges before the bytes leave its memory

Of blobs alone, by stock clients under mixed load (put, blocks, append, overwrite, delete, snapshot), the list of what was
acknowledged kept outside the hub:

  blob    kill -9 of the hub N times           power   N power cuts of an ext4 disk (root)
  sync    every third fsync fails, N times     full    a disk is filled to its end N times (root)
  flips   one bit of each of N blobs is turned on the disk
  BREAK=fsync|rename|crc                       one of these in a build with that bug: the campaign must FIND losses
"""
import argparse
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import closed
from blob_faults import SUITES
from disk import give_back, why_not
from loop import BIN, ROOT, Loop, kill_run, wait_until

PART = 10  # kills a run: a run that was interrupted is repeated, those before it are kept
PARTS = {"blob": 100, "power": 50, "sync": 10, "full": 1, "flips": 200}  # the same of the blob campaigns, a few minutes each


def kill(seed: int, count: int) -> int:
    state_file = ROOT / f"build/faults/kill-{seed}-{count}.json"
    state = json.loads(state_file.read_text()) if state_file.exists() else {"kills": 0, "files": 0, "answers": 0, "blobs": 0, "acknowledged": 0, "problems": []}
    while state["kills"] < count:
        run = state["kills"] // PART
        folder = ROOT / f"build/faults/kill-{seed}-run-{run}"
        shutil.rmtree(folder, ignore_errors=True)
        verdict = kill_run(folder, seed * 1000 + run, min(PART, count - state["kills"]))
        for key, value in verdict.items():
            state[key] = state[key] + value
        state_file.parent.mkdir(parents=True, exist_ok=True)
        state_file.write_text(json.dumps(state))
        print(f"{state['kills']} of {count} kills, {state['files']} files, {len(state['problems'])} problems", flush=True)
        if not verdict["problems"]:
            shutil.rmtree(folder)
    for problem in state["problems"]:
        print("  " + problem)
    print(f"kill: seed {seed}: {state['kills']} kills, {state['files']} files, {state['answers']} answers, {state['blobs']} blobs equal, "
          f"{state['acknowledged']} acknowledged blobs checked, {len(state['problems'])} lost or doubled")
    state_file.unlink()
    return 1 if state["problems"] else 0


def loop_kills(seed: int, count: int) -> int:
    kills, versions, problems = 0, 0, []
    for run in range((count + PART - 1) // PART):
        folder = ROOT / f"build/faults/loop-{seed}-run-{run}"
        shutil.rmtree(folder, ignore_errors=True)
        verdict = closed.kill_run(folder, seed * 1000 + run, min(PART, count - run * PART))
        kills, versions, problems = kills + verdict["kills"], versions + verdict["versions"], problems + verdict["problems"]
        print(f"{kills} of {count} kills, {versions} versions, {len(problems)} problems", flush=True)
        if not verdict["problems"]:
            shutil.rmtree(folder)
    for problem in problems:
        print("  " + problem)
    print(f"loop: seed {seed}: {kills} kills, {versions} versions learned and deployed, {len(problems)} doubled, lost or half done")
    return 1 if problems else 0


def away(seed: int, count: int) -> int:
    folder = ROOT / f"build/faults/away-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    verdict = closed.away_run(folder, 60)
    for problem in [*verdict["problems"], *verdict["failures"]]:
        print("  " + problem)
    print(f"away: {verdict['answered']} requests answered, {len(verdict['failures'])} failed, {len(verdict['problems'])} problems")
    return 1 if verdict["problems"] or verdict["failures"] else 0


def swap(seed: int, count: int) -> int:
    sys.path.insert(0, str(ROOT / "tests/clients"))
    from serve_support import Serve
    from swap_load import is_flat, swap_run
    folder = ROOT / f"build/faults/swap-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with Serve(folder).running() as serve:
        verdict = swap_run(serve, count, seed, lambda text: print(text, flush=True))
    for failure in verdict["failures"][:50]:
        print("  " + failure)
    print(f"swap: seed {seed}: {verdict['swaps']} swaps, {verdict['answered']} requests answered, {len(verdict['failures'])} failed, "
          f"memory {verdict['early'] / 2**20:.1f} MiB early, {verdict['late'] / 2**20:.1f} MiB late{'' if is_flat(verdict) else ': it GROWS'}")
    return int(bool(verdict["failures"]) or not is_flat(verdict))


def build_planted(*programs: str) -> pathlib.Path:
    build = ROOT / "build/planted"
    print("building the hub with the planted bugs (build/planted)", flush=True)
    subprocess.run(["cmake", "--preset", "release", "-B", build, "-DHOLDFAST_TESTS=OFF", "-DHOLDFAST_PLANTED_BUGS=ON"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build, "--quiet", *programs], check=True)
    return build


def plant(seed: int, count: int) -> int:
    build = build_planted("holdfast", "holdfast-hub", "holdfast-edge", "holdfast-serve")
    folder = ROOT / f"build/faults/plant-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    generator = random.Random(seed)
    loop = Loop(folder, {"HOLDFAST_PLANT": "skip-fsync"}, build / "bin")
    stop = threading.Event()
    try:
        wait_until("container", 20, lambda: loop.client().create_container("client"))
        uploader = threading.Thread(target=loop.upload_small_blobs, args=(stop, seed))
        uploader.start()
        for _ in range(min(count, 10)):
            time.sleep(generator.uniform(0.5, 1.5))
            loop.kill("hub")
        stop.set()
        uploader.join()
        wait_until("hub", 20, lambda: loop.pid("hub") and list(loop.client().list_containers()))
        lost = loop.lost_blobs(loop.client())
    finally:
        stop.set()
        loop.stop()
    print(f"plant: the bug that leaves bytes in memory was {'found' if lost else 'NOT found'}: {len(lost)} of {len(loop.acknowledged)} acknowledged blobs lost")
    return 0 if lost else 1


def blob(suite: str, seed: int, count: int, sabotage: str) -> int:
    """One of the blob campaigns; with `sabotage` it fails where nothing is found."""
    if suite in ("power", "full") and (reason := why_not()):
        sys.exit(f"{suite}: {reason}")
    programs, environment = BIN, {}
    if sabotage:
        programs, environment = build_planted("holdfast-hub") / "bin", {"HOLDFAST_PLANT": f"skip-{sabotage}"}
    name = f"{suite}-{seed}{'-' + sabotage if sabotage else ''}"
    state_file = ROOT / f"build/faults/{name}-{count}.json"
    fresh = {"trials": 0, "acknowledged": 0, "refused": 0, "kinds": [], "problems": []}
    state = json.loads(state_file.read_text()) if state_file.exists() else fresh
    while state["trials"] < count:
        part = state["trials"] // PARTS[suite]
        folder = ROOT / f"build/faults/{name}-part-{part}"
        give_back(folder / "disk")
        shutil.rmtree(folder, ignore_errors=True)
        done = state["trials"]
        verdict = SUITES[suite](folder, seed * 1000 + part, min(PARTS[suite], count - done), programs, environment,
                                lambda text: print(f"after {done}: {text}", flush=True))
        state = {key: verdict[key] if key == "kinds" else value + verdict[key] for key, value in state.items()}
        state_file.parent.mkdir(parents=True, exist_ok=True)
        state_file.write_text(json.dumps(state))
        if not verdict["problems"]:
            shutil.rmtree(folder)
    problems = state["problems"]
    for problem in problems[:50]:
        print("  " + problem)
    kinds = {kind: sum(problem.startswith(kind) for problem in problems) for kind in ("lost", "resurrected", "torn", "served")}
    print(f"{suite}{' with broken ' + sabotage if sabotage else ''}: seed {seed}: {state['trials']} trials, {state['acknowledged']} operations acknowledged "
          f"({', '.join(state['kinds'])}), {state['refused']} refused or cut, {', '.join(f'{count} {kind}' for kind, count in kinds.items())}, {len(problems)} problems")
    if sabotage:
        print("the broken build was found out" if problems else "the broken build was NOT found out")
    state_file.unlink()
    return int(bool(problems) != bool(sabotage))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=["kill", "loop", "away", "swap", "plant", *SUITES], default="kill")
    parser.add_argument("--break", dest="sabotage", choices=["fsync", "rename", "crc"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=50)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs and what is mounted goes with it
    if not pathlib.Path(BIN / "holdfast").exists():
        sys.exit(f"{BIN} has no programs; make build first")
    if arguments.suite in SUITES:
        sys.exit(blob(arguments.suite, arguments.seed, arguments.count, arguments.sabotage))
    if arguments.sabotage:
        sys.exit(f"BREAK is for {', '.join(SUITES)}; SUITE=plant is the loop's")
    sys.exit({"kill": kill, "loop": loop_kills, "away": away, "swap": swap, "plant": plant}[arguments.suite](arguments.seed, arguments.count))
