"""The one form of a bench line, and the targets it is held to."""
import json
import pathlib
import statistics
import sys

TARGETS = json.loads((pathlib.Path(__file__).parent / "targets.json").read_text())


def report(bench: str, metric: str, unit: str, ours: list[float], peer: str, theirs: list[float] | None = None, alike: bool = False) -> None:
    """Prints the line of one metric. `ours` and `theirs` are the rounds' figures; their medians are compared.

    Without a peer the limit itself stands on the other side: peer is "limit" and theirs the target.
    ratio = ours / theirs. holds is null where there is no target. The spread goes to standard error.
    `alike`: both sides are the same thing twice, so that every difference is noise: the target's `alike` holds then.
    """
    rule = TARGETS.get(f"{bench}/{metric}", {})
    target = rule.get("alike" if alike else "target")
    mine = statistics.median(ours)
    other = statistics.median(theirs) if theirs is not None else target
    ratio = mine / other if other else None
    judged = ratio if theirs is not None else mine
    holds = None if target is None else (judged <= target if rule["better"] == "lower" else judged >= target)
    print(json.dumps({
        "bench": bench, "metric": metric, "unit": unit, "ours": round(mine, 3), "peer": peer,
        "theirs": None if other is None else round(other, 3), "ratio": None if ratio is None else round(ratio, 3),
        "target": target, "holds": holds,
    }), flush=True)
    spread = f"  {metric}: ours {min(ours):.3g} to {max(ours):.3g} {unit} in {len(ours)} rounds"
    if theirs is not None:
        spread += f"; {peer} {min(theirs):.3g} to {max(theirs):.3g}"
    print(spread, file=sys.stderr, flush=True)
