"""kill -9 of any daemon at random moments: everything is there once, and nothing acknowledged is lost."""
import os
import shutil
import signal
import time

import pytest
from loop import Loop, kill_run, wait_until


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_lose_and_double_nothing(tmp_path, seed):
    verdict = kill_run(tmp_path, seed, 5)
    assert verdict["problems"] == []
    assert verdict["kills"] == 5
    assert verdict["answers"] == verdict["files"] > 0
    assert verdict["acknowledged"] > 0


def test_the_judge_sees_a_loss_and_a_double(tmp_path):
    """The harness itself: planted losses must be named."""
    loop = Loop(tmp_path)
    try:
        loop.client().create_container("client")
        for i in range(5):
            loop.drop(f"f{i}.png", loop.pictures[i])
        wait_until("rest", 60, loop.settled)
        assert loop.judge()["problems"] == []
        answers = sorted(loop.answers.glob("answers-*.jsonl"))[0]
        text = answers.read_text()
        answers.write_text(text + text.splitlines()[0] + "\n")
        next(loop.ready.glob("*.npy")).unlink()
        loop.dropped.append("never.png")
        loop.acknowledged["gone"] = "0"
        problems = "\n".join(loop.judge()["problems"])
        for sign in ("answered 2 times", "never.png was never answered", "is in 0 batches", "on one side only", "acknowledged blob gone"):
            assert sign in problems
    finally:
        loop.stop()


def test_hub_away_while_files_arrive(tmp_path):
    loop = Loop(tmp_path)
    try:
        loop.client().create_container("client")
        wait_until("containers", 20, lambda: len(list(loop.client().list_containers())) == 3)
        up = loop.pid("hub")
        # The hub stands still, as behind a cut link.
        os.kill(up, signal.SIGSTOP)
        for i in range(100):
            loop.drop(f"f{i}.png", loop.pictures[i])
            time.sleep(0.01)
        wait_until("answers without the hub", 20, lambda: loop.edge("/api/v1/transforms")["transforms"][0]["done"] == 100)
        os.kill(up, signal.SIGCONT)
        wait_until("rest", 120, loop.settled)
        assert loop.judge()["problems"] == []
    finally:
        loop.stop()


def test_bad_files_are_set_aside_and_the_rest_goes_on(tmp_path):
    loop = Loop(tmp_path)
    try:
        loop.client().create_container("client")
        good = loop.pictures[0].read_bytes()
        bad = {"cut.png": good[: len(good) // 2], "text.png": b"this is no picture", "empty.png": b"", "ü ' $(x).png": b"\x89PNG\r\n\x1a\n"}
        for name, content in bad.items():
            (loop.camera / name).write_bytes(content)
        (loop.camera / "link.png").symlink_to("/etc/passwd")
        shutil.copytree(loop.pictures[0].parent, tmp_path / "tree/deep", copy_function=shutil.copyfile)
        (tmp_path / "tree").rename(loop.camera / "tree")
        loop.dropped += [f"tree/deep/{path.name}" for path in loop.pictures]
        (loop.camera / "gone.png").write_bytes(good)
        (loop.camera / "gone.png").unlink()
        loop.drop("last.png", loop.pictures[1])
        wait_until("every bad file set aside", 60, lambda: all((loop.camera / ".set-aside" / f"{name}.reason.json").exists() for name in bad))
        wait_until("rest", 120, loop.settled)
        problems = loop.judge()["problems"]
        assert [p for p in problems if "gone.png" not in p] == []
        assert (loop.camera / "link.png").is_symlink()
        for name, content in bad.items():
            assert (loop.camera / ".set-aside" / name).read_bytes() == content
    finally:
        loop.stop()
