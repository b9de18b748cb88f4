"""docs/blob.md says of each operation and each credential by which test it is shown: the table is whole, and the tests are there."""
import pathlib
import re

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
TEST = re.compile(r"`((?:tests/system/)?[\w.]+)::([^`]+)`")


def section(title: str) -> list[list[str]]:
    """Rows of the table under a title, without its head."""
    text = (ROOT / "docs/blob.md").read_text()
    part = text[text.index(f"## {title}\n"):]
    part = part[:part.find("\n## ", 1)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")][2:]


def cases_of(file: str) -> set[str]:
    path = ROOT / file if file.startswith("tests/") else HERE / ("js" if file.endswith(".cjs") else "") / file
    text = path.read_text()
    return set(re.findall(r'^test\("([^"]+)"', text, re.M)) if file.endswith(".cjs") else set(re.findall(r"^def (test_\w+)\(", text, re.M))


def test_every_operation_has_a_row():
    source = (ROOT / "src/blob/http/operations.cc").read_text()
    offered = set(re.findall(r'^    \{"([^"]+)",\s+"[A-Z]+",', source, re.M))
    missing = set(re.findall(r'^    \{"[A-Z]+", "\w+", \'.\', "([^"]+)"\}', source, re.M))
    rows = {name.strip(): row[1] for row in section("Operations") for name in row[0].split(", ")}
    assert len(offered) > 40 and len(missing) > 1
    assert {name for name in offered if not rows.get(name, "").startswith("yes")} == set()
    assert {name for name in missing if not rows.get(name, "").startswith("501")} == set()


def test_every_row_names_tests_that_are_there():
    rows = section("Operations") + section("Who asks") + section("What else is shown")
    assert len(rows) > 60
    for row in rows:
        named = TEST.findall(row[-1])
        assert named, f"{row[0]}: no test"
        for file, name in named:
            assert name in cases_of(file), f"{row[0]}: {file} has no test '{name}'"
