"""kill -9 of the edge, the hub and the module while files go through: each comes out, and each is told upstream."""
import os
import pathlib
import random
import signal
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from edge_support import ModuleEdge, ModuleHub  # noqa: E402
from iot_support import wait_until  # noqa: E402


def module_pid(edge: ModuleEdge) -> int | None:
    """The module is the edge's only child here."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == edge.process.pid:
                return int(folder.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return None


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_lose_no_file_and_no_message(tmp_path, seed):
    rng = random.Random(seed)
    hub = ModuleHub(tmp_path).start()
    edge = ModuleEdge(tmp_path, hub).start()
    names: list[str] = []

    def drop(count: int) -> None:
        for _ in range(count):
            names.append(f"{len(names):04}.txt")
            edge.drop(names[-1], f"file {names[-1]} of seed {seed}")

    try:
        hub.deploy({"upper": edge.process_module()})
        drop(5)
        wait_until("first file", 60, lambda: edge.made(names[0]))
        for kill in range(6):
            drop(10)
            time.sleep(rng.uniform(0.02, 1.5))
            victim = ["edge", "hub", "edge", "module", "both", "edge"][kill]
            if victim == "module":
                if pid := module_pid(edge):
                    os.kill(pid, signal.SIGKILL)
            if victim in ("edge", "both"):
                edge.kill()
            if victim in ("hub", "both"):
                hub.kill()
                drop(5)
                hub.start()
            if victim in ("edge", "both"):
                drop(5)  # found by the scan at the start
                edge.start()
        drop(5)
        for name in names:
            wait_until(f"{name} from the module", 120, lambda: edge.made(name) == f"FILE {name.upper()} OF SEED {seed}")
        wait_until("every message upstream", 120, lambda: set(names) <= {result["path"] for result in hub.results()})
        # A message that is there twice has one id: what reads them can tell.
        ids: dict[str, set[str]] = {}
        for each in hub.telemetry("press-07"):
            ids.setdefault(each["body"], set()).add(each["systemProperties"]["mid"])
        assert all(len(found) == 1 for found in ids.values())
    except AssertionError:
        print(edge.logs())
        raise
    finally:
        assert edge.stop() == 0
        assert hub.stop() == 0
