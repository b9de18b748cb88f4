"""An image of this machine's Python with some of its packages: nothing can be pulled from outside, and it needs no mounts."""
import importlib.metadata
import io
import pathlib
import re
import subprocess
import sys
import sysconfig
import tarfile

PACKAGES = "/app/packages"


def libraries_of(binaries: list[pathlib.Path]) -> set[pathlib.Path]:
    """Every shared library that they load, with the loader itself."""
    found: set[pathlib.Path] = set()
    for binary in binaries:
        listed = subprocess.run(["ldd", binary], capture_output=True, text=True, timeout=30).stdout
        found |= {pathlib.Path(path) for path in re.findall(r"(/\S+\.so\S*)", listed)}
    return found


def packages_of(names: list[str]) -> set[str]:
    """The distributions with all that they require."""
    done, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name.lower() in done:
            continue
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        done.add(name.lower())
        todo += [re.match(r"[\w.-]+", line).group() for line in wanted if "extra ==" not in line]
    return done


def files_of(name: str) -> list[tuple[pathlib.Path, str]]:
    """The installed files of a distribution, each with its path below site-packages."""
    found = importlib.metadata.distribution(name)
    if found.read_text("RECORD"):
        paths = [(pathlib.Path(path.locate()), str(path)) for path in found.files or []]
    else:  # an older installer: whole top-level packages
        base = pathlib.Path(found.locate_file(""))
        tops = (found.read_text("top_level.txt") or "").split()
        paths = [(path, str(path.relative_to(base))) for top in tops for path in (base / top).rglob("*")]
    return [(path, name) for path, name in paths if path.is_file() and not name.startswith("..") and "__pycache__" not in name]


def build(packages: list[str], files: dict[str, bytes]) -> bytes:
    """A root file system as a tar: Python where it stands here, the packages in PACKAGES, and `files`."""
    buffer = io.BytesIO()
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        def add(path: pathlib.Path, name: str) -> None:
            info = archive.gettarinfo(path.resolve(), name.lstrip("/"))
            info.uid = info.gid = 0
            with open(path, "rb") as content:
                archive.addfile(info, content)
        for folder in ("tmp", "run", "etc", "proc", "sys", "dev"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        program = pathlib.Path(sys.executable).resolve()
        add(program, str(program))
        modules = []
        for path in library.rglob("*"):
            skipped = {"test", "tests", "__pycache__", "site-packages", "dist-packages", "idlelib", "ensurepip", "tkinter", "lib2to3"}
            if path.is_file() and not skipped & set(path.relative_to(library).parts) and path.suffix != ".a" and not path.parent.name.startswith("config-"):
                add(path, str(path))
                modules += [path] if path.suffix == ".so" else []
        for path in libraries_of([program, *modules]):
            add(path, str(path))
        for name in packages_of(packages):
            for path, place in files_of(name):
                add(path, f"{PACKAGES}/{place}")
        for name, data in files.items():
            info = tarfile.TarInfo(name.lstrip("/"))
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
