"""What the programs are linked with: the inference server stays small, for it has no database, and the CLI brings none along."""
import os
import pathlib
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", pathlib.Path(__file__).parents[2] / "build/release/bin")).resolve()


def needed(program: str) -> list[str]:
    told = subprocess.run(["readelf", "--dynamic", BIN / program], check=True, capture_output=True, text=True).stdout
    return [line.split("[")[1].rstrip("]") for line in told.splitlines() if "(NEEDED)" in line]


@pytest.mark.parametrize("program,library", [("holdfast-serve", "libsqlite3"), ("holdfast-serve", "libonnxruntime"), ("holdfast-edge", "libonnxruntime"),
                                             ("holdfast-hub", "libonnxruntime")])
def test_a_program_is_not_linked_with(program, library):
    libraries = needed(program)
    assert any(name.startswith("libc.so") for name in libraries)
    assert not any(name.startswith(library) for name in libraries), libraries
