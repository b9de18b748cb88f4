"""Kills and a hub that is away, while versions are learned, compared and deployed: once each, and the device goes on."""
from closed import away_run, kill_run


def test_kills_double_and_lose_no_step(tmp_path):
    verdict = kill_run(tmp_path, 1, 8)
    assert verdict["problems"] == []
    assert verdict["kills"] >= 8


def test_the_hub_is_away_at_each_step(tmp_path):
    verdict = away_run(tmp_path, 4)
    assert verdict["problems"] == []
    assert verdict["failures"] == []
    assert verdict["answered"] > 100
