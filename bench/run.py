"""`make bench [BENCH=name[.line]]`: runs the benchmarks; exit 0 whatever the figures say, 1 where one could not run."""
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).parent
known = sorted(path.stem.removeprefix("bench_") for path in here.glob("bench_*.py"))
names = sys.argv[1:] or ["loop"]
for name in names:
    name, _, line = name.partition(".")
    if name not in known:
        sys.exit(f"no bench '{name}'; there are {', '.join(known)}")
    print(f"== {name} {line}", file=sys.stderr, flush=True)
    if subprocess.run([sys.executable, here / f"bench_{name}.py", *filter(None, [line])], check=False).returncode != 0:
        sys.exit(f"bench {name} could not run")
