"""rclone, unmodified: copy, check, list, sync and delete a tree of files."""
import json
import os
import random
import shutil
import subprocess

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from blob_support import soon

pytestmark = pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed")


@pytest.fixture
def rclone(account, tmp_path):
    (tmp_path / "rclone.conf").write_text("")
    # Debian's rclone knows path-style addresses only by a SAS URL; with a key it makes ACCOUNT.ENDPOINT of them.
    sas = generate_account_sas(account.name, account.key, ResourceTypes.from_string("sco"),
                               AccountSasPermissions.from_string("rwdlac"), soon(hours=1))
    environment = os.environ | {
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"), "RCLONE_CONFIG_HF_TYPE": "azureblob",
        "RCLONE_CONFIG_HF_SAS_URL": f"{account.endpoint}?{sas}", "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1"}

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(["rclone", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done
    run.environment = environment
    return run


@pytest.fixture
def tree(tmp_path):
    generator = random.Random(7)
    for i in range(60):
        path = tmp_path / "tree" / f"d{i % 5}" / ("ü x+%" if i % 3 else "plain") / f"f {i}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.randbytes(generator.choice([0, 10, 4096, 70_000])))
    (tmp_path / "tree" / "large.bin").write_bytes(generator.randbytes(9 << 20))  # three blocks
    return tmp_path / "tree"


def test_a_tree(rclone, tree, tmp_path, account):
    rclone("mkdir", "hf:tree")
    assert rclone("lsd", "hf:").stdout.split()[-1] == "tree"
    rclone("copy", tree, "hf:tree", "--azureblob-chunk-size", "4M", "--azureblob-upload-cutoff", "4M")
    rclone("check", tree, "hf:tree")
    listed = json.loads(rclone("lsjson", "-R", "--files-only", "hf:tree").stdout)
    files = {str(path.relative_to(tree)): path.stat().st_size for path in tree.rglob("*") if path.is_file()}
    assert {entry["Path"]: entry["Size"] for entry in listed} == files
    rclone("copy", "hf:tree", tmp_path / "back")
    rclone("check", tree, tmp_path / "back")
    # Nothing changed: nothing is sent again.
    again = rclone("copy", tree, "hf:tree", "--stats-one-line", "-v").stderr
    assert "Copied" not in again
    (tree / "large.bin").unlink()
    (tree / "d0" / "new").write_text("new")
    rclone("sync", tree, "hf:tree")
    rclone("check", tree, "hf:tree")
    rclone("deletefile", "hf:tree/d0/new")
    assert rclone("check", tree, "hf:tree", check=False).returncode != 0
    rclone("purge", "hf:tree")
    assert rclone("lsd", "hf:").stdout == ""


def test_listing_in_pages(rclone, tree):
    rclone("copy", tree, "hf:tree")
    all_at_once = rclone("lsf", "-R", "hf:tree").stdout
    assert rclone("lsf", "-R", "--azureblob-list-chunk", "7", "hf:tree").stdout == all_at_once


def test_modification_times_are_kept(rclone, tree, tmp_path):
    os.utime(tree / "large.bin", (1_500_000_000.25, 1_500_000_000.25))
    rclone("copy", tree / "large.bin", "hf:times")
    assert json.loads(rclone("lsjson", "hf:times").stdout)[0]["ModTime"].startswith("2017-07-14T02:40:00.25")


def test_copies_between_containers(rclone, tree):
    rclone("copy", tree, "hf:one")
    copied = rclone("copy", "hf:one", "hf:two", "-vv").stderr
    assert copied.count("Copied (server-side copy)") == 61
    rclone("check", tree, "hf:two")
    rclone("check", "--download", "hf:one", "hf:two")
    rclone("moveto", "hf:two/large.bin", "hf:two/moved/larger.bin")
    assert rclone("lsf", "hf:two/moved").stdout == "larger.bin\n" and "large.bin" not in rclone("lsf", "hf:two").stdout
    rclone("sync", "hf:one", "hf:two")
    rclone("check", "hf:one", "hf:two")


def test_a_stream_in_small_blocks(rclone, tmp_path):
    """Of a length that is not known: every block is staged, and the list written at the end."""
    data = random.Random(9).randbytes(21 << 20)
    (tmp_path / "data").write_bytes(data)
    with open(tmp_path / "data", "rb") as source:
        subprocess.run(["rclone", "rcat", "hf:stream/one", "--azureblob-chunk-size", "4M", "--streaming-upload-cutoff", "1M"],
                       stdin=source, env=rclone.environment, check=True, timeout=60)
    rclone("copyto", "hf:stream/one", tmp_path / "back", "--multi-thread-streams", "4", "--multi-thread-cutoff", "1M")
    assert (tmp_path / "back").read_bytes() == data
    piece = subprocess.run(["rclone", "cat", "hf:stream/one", "--offset", "5000000", "--count", "7"], env=rclone.environment, capture_output=True, check=True)
    assert piece.stdout == data[5_000_000:5_000_007]
    assert json.loads(rclone("lsjson", "--hash", "hf:stream").stdout)[0]["Size"] == len(data)


def test_tiers_and_metadata(rclone, tree):
    rclone("copy", tree / "large.bin", "hf:tiers")
    rclone("settier", "Cool", "hf:tiers")
    assert json.loads(rclone("lsjson", "hf:tiers").stdout)[0]["Tier"] == "Cool"
    rclone("touch", "-t", "2020-01-02T03:04:05", "hf:tiers/large.bin")
    assert json.loads(rclone("lsjson", "hf:tiers").stdout)[0]["ModTime"].startswith("2020-01-02T03:04:05")


def test_what_names_may_be(rclone, tmp_path):
    """rclone's own probe writes names of every sign, of growing length, and in both forms of Unicode."""
    rclone("mkdir", "hf:info")
    rclone("test", "info", "hf:info", "--all", "--write-json", tmp_path / "info.json")
    info = json.loads((tmp_path / "info.json").read_text())
    assert info["MaxFileLength"] == 1024 and info["CanStream"] and info["CanWriteUnnormalized"] and info["CanReadUnnormalized"]
    # Control characters rclone itself writes as other signs; every other one is listed where it was put.
    changed = {sign for sign, found in info["ControlCharacters"].items() if set(found["InList"].values()) != {"present"}}
    assert changed == {chr(code) for code in [*range(1, 32), 127]}
