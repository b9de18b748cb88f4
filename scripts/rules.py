#!/usr/bin/env python3
"""The rules of the house that text can show: who may include whom, file sizes, forbidden words."""
import pathlib
import re
import subprocess
import sys

# Module → modules whose headers it may include (besides its own and base). apps/ may include all.
ALLOWED = {
    "base": [],
    "net": [],
    "store": ["net"],
    "events": ["net", "store"],
    "identity": ["net", "store"],
    "device_wire": ["net", "identity"],
    "iot": ["net", "store", "identity", "device_wire"],
    "blob_client": ["net", "identity"],
    "oci": ["net"],
    "registry": ["net", "store", "identity", "oci"],
    "supervisor": ["net"],
    "blob": ["net", "store", "events", "identity"],
    "data": ["net", "store", "blob"],
    "jobs": ["net", "store", "blob", "data", "oci"],
    "training": ["net", "store", "blob", "data", "jobs", "ml", "oci", "registry", "iot"],
    "ml": ["net", "store", "identity", "blob"],
    "console": ["net", "store", "identity"],
    "transfer": ["net", "blob_client"],
    "shares": ["net", "store"],
    "uplink": ["net", "store", "shares", "blob_client"],
    "transform": ["net"],
    "answers": ["net", "store", "shares", "transform", "inference_client"],
    "inference": ["net", "transform"],
    "inference_client": [],
    "modules": ["net", "store", "identity", "oci", "supervisor", "device_wire"],
    "broker": ["net", "store", "device_wire", "shares"],
    "device": ["net", "store", "device_wire"],
    "cli": ["net", "identity", "blob_client", "transfer", "transform", "supervisor", "oci"],
}
# Third-party header → folders that may show it.
HOMES = {
    r"boost/beast": ["src/net/http", "bench"],
    r"sqlite3\.h": ["src/store/database/sqlite"],
    r"onnxruntime": ["src/inference/onnxruntime", "bench"],
    r"openvino/": ["src/inference/openvino"],
    r"openssl/": ["src/base", "src/net", "src/identity"],
    r"yaml-cpp": ["src/base"],
    r"simdjson": ["src/inference"],
    r"grpc(pp)?/|google/protobuf": ["src/inference/grpc", "bench"],
    r"turbojpeg|png\.h|stb": ["src/transform"],
    r"CLI/": ["src/cli", "apps"],
}
WORDS = [
    (r"\basio::detached\b", "every task lives in a TaskGroup", ["src/net", "bench"]),
    (r"co_await[^;\n]*\[[&=\w, ]*\]\s*\(", "no lambda inside a co_await expression", []),
    (r"\b(TODO|FIXME|XXX)\b", "finish it or leave it out", []),
]
LIMITS = {".h": 120, ".cc": 300, "test": 400, ".py": 400}

root = pathlib.Path(__file__).resolve().parent.parent
files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, text=True, capture_output=True, check=True).stdout.split("\n")
problems = []
for name in sorted(filter(None, files)):
    path = root / name
    if path.suffix not in (".h", ".cc", ".py") or not path.is_file():
        continue
    lines = path.read_text().split("\n")
    is_test = re.search(r"_test\.(cc|h)$|(^|/)tests?/|contract|testing\.(h|cc)$", name) is not None
    limit = LIMITS["test"] if is_test else LIMITS[path.suffix]
    if len(lines) - 1 > limit:
        problems.append(f"{name}: {len(lines) - 1} lines, its limit is {limit}: split it along its seams")
    if path.suffix == ".py":
        continue
    module = name.split("/")[1] if name.startswith("src/") else None
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        include = re.match(r'\s*#include\s+["<]([^">]+)[">]', line)
        if include:
            target = include.group(1)
            other = target.split("/")[0]
            if module and other in ALLOWED and other not in (module, "base") and other not in ALLOWED.get(module, []):
                problems.append(f"{where}: {module} must not include {other}")
            if module and other in ALLOWED and other != module and "/http/" in target and other != "net":
                problems.append(f"{where}: another service's http/ is private")
            for pattern, homes in HOMES.items():
                if re.match(pattern, target) and not is_test and not any(name.startswith(h) for h in homes):
                    problems.append(f"{where}: {target} belongs to {', '.join(homes)}")
        for pattern, why, homes in WORDS:
            if re.search(pattern, line) and not any(name.startswith(h) for h in homes):
                problems.append(f"{where}: {why}")
print("\n".join(problems) or "rules: clean")
sys.exit(1 if problems else 0)
