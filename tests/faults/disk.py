"""A small ext4 disk in a file, whose power can be cut. Needs root and loop devices."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH = 2  # nothing more reaches the disk, the journal included


def why_not() -> str:
    """Empty where such a disk can be had."""
    if os.geteuid() != 0:
        return "needs root: a loop device"
    if not shutil.which("mkfs.ext4") or not os.path.exists("/dev/loop-control"):
        return "needs mkfs.ext4 and loop devices"
    return ""


def give_back(at: pathlib.Path) -> None:
    """Where a run that was killed left its disk mounted."""
    if os.path.ismount(at):
        subprocess.run(["umount", at], check=True)


class Disk:
    def __init__(self, folder: pathlib.Path, mib: int):
        self.image, self.at = folder / "disk.img", folder / "disk"
        self.at.mkdir(parents=True)
        with open(self.image, "wb") as file:
            file.truncate(mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", self.image], check=True)
        self.mounted = False

    def mount(self) -> None:
        """After a cut this replays the journal, as a machine does that gets its power back."""
        subprocess.run(["mount", "-o", "loop", self.image, self.at], check=True)
        self.mounted = True

    def cut(self) -> None:
        folder = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def unmount(self) -> None:
        subprocess.run(["umount", self.at], check=True)
        self.mounted = False

    def close(self) -> None:
        if self.mounted:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.unmount()
        self.image.unlink(missing_ok=True)
