"""adlfs, unmodified: files, folders, ranges, globs, appends and copies through fsspec, and data frames over it."""
import os
import random

import adlfs
import pandas
import pytest

MIB = 1 << 20


@pytest.fixture
def files(account, connection_string):
    adlfs.AzureBlobFileSystem.clear_instance_cache()
    made = adlfs.AzureBlobFileSystem(account_name=account.name, connection_string=connection_string)
    made.mkdir("data")
    return made


def test_containers(files):
    assert files.ls("") == ["data"] and files.exists("data") and not files.exists("none")
    files.mkdir("other")
    with pytest.raises(FileExistsError):
        files.mkdir("other", exist_ok=False)
    files.rmdir("other")
    assert files.ls("") == ["data"]


def test_files_and_folders(files):
    for name in ("a/1.txt", "a/2.txt", "a/b/3.txt", "c.txt", "ü x+%/4#?.txt"):
        files.pipe(f"data/{name}", name.encode())
    assert sorted(files.ls("data")) == ["data/a", "data/c.txt", "data/ü x+%"]
    assert sorted(files.find("data/a")) == ["data/a/1.txt", "data/a/2.txt", "data/a/b/3.txt"]
    assert sorted(files.glob("data/**/*.txt"))[0] == "data/a/1.txt" and len(files.glob("data/*/*.txt")) == 3
    assert [(path, sorted(folders), sorted(names)) for path, folders, names in files.walk("data/a")] == [
        ("data/a", ["b"], ["1.txt", "2.txt"]), ("data/a/b", [], ["3.txt"])]
    assert files.isdir("data/a") and not files.isfile("data/a") and files.isfile("data/c.txt") and files.size("data/c.txt") == 5
    assert files.cat(["data/c.txt", "data/a/1.txt"]) == {"data/c.txt": b"c.txt", "data/a/1.txt": b"a/1.txt"}
    assert files.cat_file("data/ü x+%/4#?.txt", start=2, end=6) == "ü x+%/4#?.txt".encode()[2:6]
    with pytest.raises(FileNotFoundError):
        files.cat("data/none")
    files.mv("data/a/1.txt", "data/d/1.txt")
    assert files.exists("data/d/1.txt") and not files.exists("data/a/1.txt")
    files.rm("data/a", recursive=True)
    assert not files.exists("data/a/b/3.txt") and not files.exists("data/a")


def test_writing_in_blocks(files):
    data = random.Random(3).randbytes(9 * MIB + 5)
    with files.open("data/big.bin", "wb", block_size=2 * MIB) as out:
        for at in range(0, len(data), MIB):
            out.write(data[at:at + MIB])
    assert files.size("data/big.bin") == len(data) and files.cat("data/big.bin") == data
    with files.open("data/big.bin", "rb", block_size=64 * 1024) as back:
        back.seek(5 * MIB - 3)
        assert back.read(7) == data[5 * MIB - 3:5 * MIB + 4]
        back.seek(-5, os.SEEK_END)
        assert back.read() == data[-5:]


def test_exclusive_creation_and_appending(files):
    with files.open("data/one", "xb") as out:
        out.write(b"first")
    with pytest.raises(FileExistsError):
        with files.open("data/one", "xb") as out:
            out.write(b"second")
    assert files.cat("data/one") == b"first"
    for piece in (b"a", b"bc"):
        with files.open("data/log", "ab") as out:
            out.write(piece)
    assert files.cat("data/log") == b"abc"


def test_metadata(files):
    files.pipe("data/m", b"x")
    files.setxattrs("data/m", station="press 7")
    assert files.getxattr("data/m", "station") == "press 7" and files.info("data/m")["metadata"]["station"] == "press 7"
    assert files.info("data/m")["content_settings"]["content_md5"] is not None


def test_copies_between_here_and_there(files, tmp_path):
    tree = tmp_path / "tree"
    for name in ("a.bin", "sub/b.bin", "sub/deep/c.bin"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(os.urandom(70_000))
    files.put(str(tree), "data/tree", recursive=True)
    files.cp("data/tree", "data/again", recursive=True)
    files.get("data/again", str(tmp_path / "back"), recursive=True)
    for path in tree.rglob("*.bin"):
        assert (tmp_path / "back" / path.relative_to(tree)).read_bytes() == path.read_bytes()


def test_a_signed_url(files):
    import urllib.request
    files.pipe("data/signed", b"signed")
    assert urllib.request.urlopen(files.url("data/signed").replace("https://", "http://")).read() == b"signed"


def test_data_frames(files, account, connection_string):
    options = {"account_name": account.name, "connection_string": connection_string}
    frame = pandas.DataFrame({"time": range(1000), "value": [i * 0.5 for i in range(1000)]})
    frame.to_csv("abfs://data/frames/one.csv", index=False, storage_options=options)
    assert pandas.read_csv("abfs://data/frames/one.csv", storage_options=options).equals(frame)
