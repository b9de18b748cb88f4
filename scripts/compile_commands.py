#!/usr/bin/env python3
"""What compiles each source by itself, from a build that compiles several as one unit: `FROM/compile_commands.json` into `TO`.

For clang-tidy and editors, which look a source up by its name."""
import json
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
source, target = map(pathlib.Path, sys.argv[1:3])
entries = []
for entry in json.loads((source / "compile_commands.json").read_text()):
    unit = entry["file"]
    names = re.findall(r'^#include "(.+)"$', pathlib.Path(unit).read_text(), re.M) if unit.endswith("_unit.cc") else []
    for name in names:
        file = str(root / name)
        entries.append(entry | {"file": file, "command": entry["command"].replace(unit, file)})
    if not names:
        entries.append(entry)
target.mkdir(parents=True, exist_ok=True)
(target / "compile_commands.json").write_text(json.dumps(entries, indent=1))
