"""Short forms of the blob campaigns: nothing acknowledged is lost, comes back or is torn."""
import pytest
from blob_faults import kill_run, power_run, sync_run
from blob_load import ABSENT, Blob, State, judge
from disk import why_not

on_a_disk = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


def test_kills(tmp_path):
    verdict = kill_run(tmp_path / "run", 1, 8)
    assert verdict["problems"] == []
    assert verdict["acknowledged"] > 50


def test_failed_syncs(tmp_path):
    verdict = sync_run(tmp_path / "run", 1, 3)
    assert verdict["problems"] == []
    assert verdict["stopped"] > 0  # at once, where it was a commit's: nothing is served that may not be there


@on_a_disk
def test_power_cuts(tmp_path):
    verdict = power_run(tmp_path / "run", 1, 6)
    assert verdict["problems"] == []
    assert verdict["acknowledged"] > 30


def test_the_judge_knows_what_is_wrong():
    """The harness itself: each kind of loss is named."""
    old, new = State.of("BlockBlob", b"old"), State.of("BlockBlob", b"new")
    for allowed, before, seen, found in (({new}, {old}, new, ""), ({new, old}, set(), old, ""), ({new}, {old}, old, "lost"), ({new}, {old}, ABSENT, "lost"),
                                         ({ABSENT}, {old}, old, "resurrected"), ({new}, {old}, State.of("BlockBlob", b"neW"), "torn"), ({new}, {old}, State.of("AppendBlob", b"new"), "torn")):
        assert judge(Blob("b", allowed, before), seen).partition(":")[0] == found
