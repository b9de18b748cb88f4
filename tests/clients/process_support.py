"""What processes under test have of the machine: memory, open files, ports."""
import contextlib
import resource
import socket


def anonymous(pid: int) -> int:
    """Bytes of memory that a process has for itself; shares of libraries change as other programs start and end."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) << 10 for line in rollup if line.startswith("Anonymous:"))


@contextlib.contextmanager
def open_files(count: int | None = None):
    """This process, and those that it starts meanwhile, may have so many at first; None: as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if count is None else count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def free_ports(count: int) -> list[int]:
    """Different ones that nobody listened on a moment ago."""
    with contextlib.ExitStack() as held:
        return [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]
