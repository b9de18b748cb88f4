"""The holdfast program as users run it: up, storage, errors and their exit codes, completion, check, down."""
import hashlib
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", pathlib.Path(__file__).parents[2] / "build/release/bin")).resolve()
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
PORTS = ["--hub-http", "127.0.0.1:0", "--hub-blob", "127.0.0.1:0", "--hub-https", "127.0.0.1:0", "--hub-mqtt", "127.0.0.1:0",
         "--edge-http", "127.0.0.2:0", "--edge-mqtt", "127.0.0.2:0", "--serve-http", "127.0.0.1:0"]
USAGE, NOT_FOUND, DENIED, CONFLICT, UNREACHABLE = 2, 3, 4, 5, 6


def holdfast(*words, code: int = 0, **environment) -> subprocess.CompletedProcess:
    done = subprocess.run([BIN / "holdfast", *map(str, words)], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env=PLAIN | environment)
    assert done.returncode == code, f"{words}: exit {done.returncode}, {done.stdout}{done.stderr}"
    return done


def until(what, within: float = 30):
    """The first true answer of `what`; a real process is waited for, with a deadline."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("not within the deadline")


class Up:
    """One `holdfast up --detach` with its data."""
    def __init__(self, data: pathlib.Path):
        self.data = data
        self.start()

    def start(self) -> None:
        self.told = holdfast("up", "--detach", "--data", self.data, *PORTS).stdout

    def __call__(self, *words, code: int = 0, **environment) -> subprocess.CompletedProcess:
        return holdfast(*words, "--data", self.data, code=code, **environment)

    def json(self, *words):
        return json.loads(self(*words, "-o", "json").stdout)

    def run(self, part: str = "hub") -> dict:
        return json.loads((self.data / part / "run.json").read_text())


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    up = Up(tmp_path_factory.mktemp("cli") / "data")
    yield up
    up("down")
    assert not (up.data / "hub/run.json").exists() and not (up.data / "edge/run.json").exists()


@pytest.fixture(scope="module")
def container(up):
    up("storage", "container", "create", "things")
    return "things"


def test_up_tells_where_everything_is(up):
    assert "Holdfast is up." in up.told and "holdfast status" in up.told
    for part, door in [("hub", "http"), ("hub", "blob"), ("edge", "http"), ("edge", "serve")]:
        assert f"http://{up.run(part)[door]}" in up.told
    assert up.run("edge")["http"].startswith("127.0.0.2:")


def test_up_twice_is_a_conflict(up):
    assert "holdfast down" in holdfast("up", "--detach", "--data", up.data, *PORTS, code=CONFLICT).stderr


def test_status_shows_hub_edge_and_serve(up):
    assert isinstance(up.json("status")["hub"], dict)
    rows = [line.split("\t") for line in up("status", "-o", "tsv").stdout.splitlines()]
    assert {"hub", "edge", "serve"} <= {row[0] for row in rows}
    assert [row[2] for row in rows if row[0] in ("hub", "edge")] == ["up", "up"]


def test_check_tells_of_accelerators(up):
    rows = [row for row in up.json("check") if row["check"] == "accelerator"]
    intel = [path for path in pathlib.Path("/sys/class/drm").glob("renderD*/device/vendor") if path.read_text().startswith("0x8086")]
    if not intel and not any(pathlib.Path(path).exists() for path in ("/proc/driver/nvidia", "/sys/class/accel")):
        assert [(row["state"], row["detail"]) for row in rows] == [("ok", "none found; models run on the processor")]
    assert rows and all(row["state"] in ("ok", "warn") for row in rows)


def test_check_finds_the_daemons(up):
    states = {row["check"]: row["state"] for row in up.json("check")}
    assert states["hub"] == states["edge"] == states["serve"] == "ok"


def test_accounts_live_and_die(up):
    made = up.json("storage", "account", "create", "press07")
    assert made["name"] == "press07" and made["endpoint"].endswith("/press07")
    assert "press07" in up("storage", "account", "create", "press07", code=CONFLICT).stderr
    assert up.json("storage", "account", "show", "press07")["name"] == "press07"
    first = up.json("storage", "account", "keys", "press07")
    second = up.json("storage", "account", "rotate", "press07", "--key", "key1")
    assert [key["name"] for key in first] == ["key1", "key2"]
    assert first[0]["value"] != second[0]["value"] and first[1] == second[1]
    up("storage", "account", "delete", "press07", "--yes")
    assert "press07" in up("storage", "account", "show", "press07", code=NOT_FOUND).stderr


def test_a_large_file_comes_back_the_same(up, container, tmp_path):
    source, back = tmp_path / "big.bin", tmp_path / "back.bin"
    source.write_bytes(os.urandom(20 << 20))
    sent = up.json("storage", "blob", "upload", source, "--container", container, "--name", "in/big one.bin")
    assert sent["size"] == 20 << 20
    up("storage", "blob", "download", "in/big one.bin", "--container", container, "--file", back)
    assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    assert sorted(os.listdir(tmp_path)) == ["back.bin", "big.bin"]
    assert [row["name"] for row in up.json("storage", "blob", "list", "--container", container, "--prefix", "in/")] == ["in/big one.bin"]
    shown = up.json("storage", "container", "show", container)
    assert shown["blobs"] >= 1 and shown["bytes"] >= 20 << 20
    table = up("storage", "blob", "show", "in/big one.bin", "--container", container, "-o", "table").stdout
    assert table.startswith("BLOB") and "20.0 MiB" in table


def test_a_failed_download_leaves_nothing(up, container, tmp_path):
    up("storage", "blob", "download", "gone", "--container", container, "--file", tmp_path / "x", code=NOT_FOUND)
    small = tmp_path / "small.txt"
    small.write_text("x")
    up("storage", "blob", "upload", small, "--container", container)
    (tmp_path / "folder").mkdir()
    up("storage", "blob", "download", "small.txt", "--container", container, "--file", tmp_path / "folder", code=1)
    assert sorted(os.listdir(tmp_path)) == ["folder", "small.txt"] and not os.listdir(tmp_path / "folder")
    assert "--file" in up("storage", "blob", "download", "..", "--container", container, code=USAGE).stderr


def test_a_signed_url_opens_one_blob_for_reading(up, container, tmp_path):
    file = tmp_path / "signed.txt"
    file.write_text("signed content")
    up("storage", "blob", "upload", file, "--container", container)
    url = up.json("storage", "sas", "create", "--container", container, "--blob", "signed.txt", "--hours", "1")["url"]
    assert urllib.request.urlopen(url).read() == b"signed content"
    for wrong in (urllib.request.Request(url, method="DELETE"), url.split("?")[0], url.replace("signed.txt", "other.txt")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong)
        assert refused.value.code in (401, 403, 404)


def test_delete_asks_first(up, container, tmp_path):
    file = tmp_path / "asked.txt"
    file.write_text("x")
    up("storage", "blob", "upload", file, "--container", container)
    delete = ("storage", "blob", "delete", "asked.txt", "--container", container)
    for verb in (delete, ("storage", "container", "delete", container), ("storage", "account", "delete", "site1"),
                 ("model", "delete", "digits", "--version", "1")):
        assert "--yes" in up(*verb, code=USAGE).stderr
    assert answer_on_terminal(up, delete, b"n\n") == 1
    up("storage", "blob", "show", "asked.txt", "--container", container)
    assert answer_on_terminal(up, delete, b"y\n") == 0
    up("storage", "blob", "show", "asked.txt", "--container", container, code=NOT_FOUND)


def answer_on_terminal(up: Up, words, answer: bytes) -> int:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "holdfast", ["holdfast", *words, "--data", str(up.data)], PLAIN)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(terminal, 4096)
    os.write(terminal, answer)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status)


def test_output_forms(up, container):
    assert up("storage", "account", "list", "-o", "none").stdout == ""
    assert up("storage", "account", "list", "-o", "tsv").stdout.startswith("site1\t")
    assert up("storage", "account", "list", "-o", "table").stdout.startswith("ACCOUNT")
    assert '- name: "site1"' in up("storage", "account", "list", "-o", "yaml").stdout
    assert json.loads(up("storage", "account", "list").stdout)[0]["name"] == "site1"
    nothing = ("storage", "blob", "list", "--container", container, "--prefix", "no such")
    assert [up(*nothing, "-o", form).stdout for form in ("json", "yaml", "tsv")] == ["[]\n", "[]\n", ""]
    holdfast("status", "-o", "xml", code=USAGE)


def test_exit_codes_and_what_errors_say(up, tmp_path):
    assert "did you mean 'storage'" in holdfast("storag", "account", code=USAGE).stderr
    assert "did you mean 'list'" in holdfast("storage", "account", "lst", code=USAGE).stderr
    assert "nope" in up("storage", "container", "list", "--account", "nope", code=NOT_FOUND).stderr
    assert "not known" not in up("storage", "blob", "list", "--container", "nothere", code=NOT_FOUND).stderr
    wrong = tmp_path / "token"
    wrong.write_text("not.a.token\n")
    up("storage", "account", "list", "--token-file", wrong, code=DENIED)
    assert "--token-file" in up("storage", "account", "list", "--token-file", tmp_path / "gone", code=DENIED).stderr
    assert "holdfast up" in holdfast("storage", "account", "list", "--data", tmp_path / "nothing", code=UNREACHABLE).stderr
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = up("storage", "account", "list", "--hub", away, code=UNREACHABLE).stderr
    assert away[7:] in said and "holdfast check" in said and said.count("\n") == 1
    assert "nothing is up" in holdfast("down", "--data", tmp_path / "nothing", code=NOT_FOUND).stderr


def test_a_foreign_server_is_an_error_not_a_crash(up):
    # The inference server is no hub, and the hub is no edge.
    serve, hub = (f"http://{up.run(*at)[door]}" for at, door in (((["edge"]), "serve"), ((["hub"]), "http")))
    for words in (("storage", "account", "list", "--hub", serve), ("share", "list", "--edge", hub), ("model", "list", "--serve", hub)):
        done = subprocess.run([BIN / "holdfast", *words, "--data", up.data], capture_output=True, text=True, env=PLAIN)
        assert 0 < done.returncode < 8 and done.stderr.startswith("holdfast: "), done


def test_a_model_that_is_no_onnx_file_is_refused(up, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_text("this is no model")
    assert up("model", "create", "digits", "--file", file, code=1).stderr.startswith("holdfast: ")
    assert up.json("model", "list") == []


def test_a_killed_hub_comes_back_with_its_data(up, container, tmp_path):
    file = tmp_path / "kept.txt"
    file.write_text("kept")
    up("storage", "blob", "upload", file, "--container", container)
    before = up.run()
    os.kill(before["pid"], signal.SIGKILL)
    after = until(lambda: (run := up.run())["pid"] != before["pid"] and run)
    assert (after["http"], after["blob"]) == (before["http"], before["blob"])
    up("storage", "blob", "download", "kept.txt", "--container", container, "--file", tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_text() == "kept"


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = holdfast("up", "--detach", "--data", tmp_path / "data", *PORTS[2:], "--hub-http", address, code=CONFLICT).stderr
    assert address in said


def test_an_unknown_key_is_named_with_its_place(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "hub.yaml").write_text(f"data: {data}/hub\nlisten:\n  htp: 127.0.0.1:0\n")
    said = holdfast("up", "--detach", "--data", data, *PORTS, code=CONFLICT).stderr
    assert re.search(r"hub\.yaml:3:3: .*htp", said)


def test_check_reads_a_configuration_as_its_daemon_does(up, tmp_path):
    for name in ("hub.yaml", "edge.yaml"):
        (row,) = json.loads(holdfast("check", "--config", up.data / name).stdout)
        assert row["state"] == "ok" and name[:-5] in row["detail"]
    for text, place in (("domain: d\ndata: /x\nlistn: {}\n", ":3:1"), ("device: d\ndata: /x\nshares:\n  - {nam: a}\n", ":4:"),
                        ("data: /x\nmodels: /m\nthreads: 0\n", ":3:"), ("device: [\n", "x.yaml:")):
        (tmp_path / "x.yaml").write_text(text)
        (row,) = json.loads(holdfast("check", "--config", tmp_path / "x.yaml", code=1).stdout)
        assert row["state"] == "fail" and "x.yaml" in row["detail"] and place in row["detail"], row
    (tmp_path / "x.yaml").write_text("data: /x\n")
    assert "--daemon" in holdfast("check", "--config", tmp_path / "x.yaml", code=USAGE).stderr
    holdfast("check", "--config", tmp_path / "x.yaml", "--daemon", "serve")
    assert subprocess.run([BIN / "holdfast", "serve", "--check", "--data", tmp_path / "none"], capture_output=True,
                          text=True, env=PLAIN).stdout == "ok\n"
    assert not (tmp_path / "none").exists()


def test_trust_prints_hosts_lines(up):
    lines = up("trust", "-o", "tsv").stdout.splitlines()
    assert {"127.0.0.1\thub.holdfast.internal", "127.0.0.1\tsite1.blob.holdfast.internal",
            "127.0.0.2\tthis-machine.edge.holdfast.internal"} <= set(lines)
    assert up.json("trust", "--domain", "plant.example")[0]["name"] == "hub.plant.example"


def complete(*line: str) -> list[str]:
    words = " ".join(f"'{word}'" for word in ("holdfast",) + line)
    script = (f'source <("{BIN}/holdfast" completion bash); COMP_WORDS=({words}); COMP_CWORD={len(line)}; _holdfast; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes(tmp_path):
    assert complete("stor") == ["storage"]
    assert set(complete("storage", "")) >= {"account", "container", "blob", "sas", "copy", "sync"}
    assert complete("storage", "blob", "up") == ["upload"]
    assert complete("storage", "blob", "upload", "--conta") == ["--container"]
    for shell, word in (("zsh", "bashcompinit"), ("fish", "complete -c holdfast")):
        assert word in holdfast("completion", shell).stdout


def subcommands(text: str) -> list[str]:
    part = text.split("SUBCOMMANDS:", 1)[1] if "SUBCOMMANDS:" in text else text.split("Subcommands:", 1)[1] if "Subcommands:" in text else ""
    return re.findall(r"^  ([a-z-]+) ", part, re.M)


def test_every_verb_ends_its_help_with_two_examples():
    assert "storage account|container|blob|sas|copy|sync" in holdfast().stdout
    verbs, open_paths = 0, [()]
    while open_paths:
        path = open_paths.pop()
        text = holdfast(*path, "--help").stdout
        if inner := subcommands(text):
            open_paths += [path + (name,) for name in inner]
            continue
        verbs += 1
        tail = text.rstrip().split("Examples:\n")
        assert len(tail) == 2, path
        assert len([line for line in tail[1].splitlines() if " ".join(("holdfast",) + path) in line]) == 2, path
    assert verbs >= 25
