"""holdfast storage copy and sync that are killed in the middle and run again, and what they tell of their progress."""
import json
import os
import pty
import random
import re
import time

import pytest
from test_cli import BIN, PLAIN
from test_cli_storage import MIB, blobs_of, container, files_of, gate, kill_after, service, up  # noqa: F401


@pytest.mark.parametrize("verb", ["copy", "sync"])
@pytest.mark.parametrize("way", ["up", "down", "across"])
def test_a_killed_run_over_many_goes_on(up, gate, service, container, tmp_path, verb, way):
    """What is done stays done, and the large one in the middle goes on where it was."""
    files = {name: random.Random(name).randbytes(size * MIB) for name, size in (("a", 1), ("m/big", 24), ("z", 1))}
    here, hub, name = tmp_path / "here", up.run("hub")["blob"], container.container_name
    source, target = here, f"blob://site1/{name}/to"
    if way == "up":
        for file, data in files.items():
            (here / file).parent.mkdir(parents=True, exist_ok=True)
            (here / file).write_bytes(data)
    else:
        for file, data in files.items():
            container.upload_blob(f"from/{file}", data)
        # By its own address and a signature: no service reads from there for the other.
        sas = up.json("storage", "sas", "create", "--container", name, "--permissions", "rl")["url"].partition("?")[2]
        source = f"blob://site1/{name}/from" if way == "down" else f"http://{hub}/site1/{name}/from?{sas}"
        target = here if way == "down" else target
    words = ["storage", verb, *(["--recursive"] if verb == "copy" else []), source, target, "--piece", "1MiB", "--parallel", "2", "--blob", gate.url]
    kill_after(up, gate, 14 * MIB, words, settle=0.2)
    done = json.loads(up(*words, "-o", "json").stdout)
    assert done["failed"] == 0 and gate.passed < (20 if verb == "sync" else 22) * MIB, gate.passed
    if way == "down":
        assert files_of(here) == files
    else:
        assert {blob[3:]: data for blob, data in blobs_of(container).items() if blob.startswith("to/")} == files
    assert json.loads(up(*words[:1], "sync", *words[2 if verb == "sync" else 3:], "-o", "json").stdout)["sent"] == 0


def test_a_killed_copy_between_services_tells_what_it_had(up, gate, container):
    data = os.urandom(12 * MIB)
    container.upload_blob("a", data)
    url = up.json("storage", "sas", "create", "--container", container.container_name, "--blob", "a")["url"]
    words = ["storage", "copy", url, f"blob://site1/{container.container_name}/b", "--piece", "1MiB", "--parallel", "1", "--blob", gate.url]
    kill_after(up, gate, 6 * MIB, words)
    done = json.loads(up(*words, "-o", "json").stdout)
    assert done["by_service"] is False and 4 * MIB <= done["resumed_bytes"] < 8 * MIB
    assert container.download_blob("b").readall() == data


def test_progress_is_told(up, container, tmp_path):
    """On a terminal one line that rewrites itself, at most ten times a second; elsewhere none for what takes no time."""
    with open(tmp_path / "large", "wb") as out:
        out.truncate(200 * MIB)
    words = ["storage", "copy", tmp_path / "large", f"blob://site1/{container.container_name}/"]
    began, seen = time.monotonic(), b""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "holdfast", ["holdfast", *map(str, words), "--data", str(up.data)], PLAIN | {"TERM": "xterm", "NO_COLOR": ""})
    try:
        while more := os.read(terminal, 4096):
            seen += more
    except OSError:  # its other end is closed
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    frames = re.findall(r"copy \S+/large: ([\d.]+) MiB of 200.0 MiB, [\d.]+ [KMG]iB/s(, \d+ s left)?", seen.decode())
    sizes = [float(size) for size, _ in frames]
    assert sizes == sorted(sizes) and sizes[-1] == 200 and 2 <= len(sizes) <= (time.monotonic() - began) * 10 + 2, seen
    (tmp_path / "small").write_bytes(bytes(MIB))
    assert "iB/s" not in up(*words[:2], tmp_path / "small", *words[3:]).stderr
