"""`make kernel-tls`: TLS that the kernel encrypts, shown in a virtual machine of Debian's own kernel, as few machines that build have it.

Boots that kernel with nothing in its memory but the hub, its data, the test of TLS streams and curl. There a blob comes over TLS 1.3 and 1.2,
with and without the kernel's module: its bytes must be those that were stored, and the kernel must count the connections as its own.
Needs: apt-get install qemu-system-x86 busybox-static cpio
"""
import datetime
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
sys.path[:0] = [str(ROOT / "tests/clients"), str(ROOT / "tests/clients/blob")]
COMMANDS = "sh mount insmod ip sha256sum cat grep sleep poweroff".split()
# What tls.ko asks the kernel for by name: AES-GCM and what that is made of.
CRYPTO = "aesni-intel ccm cryptd crypto_simd ctr gcm gf128mul ghash-clmulni-intel ghash-generic seqiv".split()

INIT = """#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -t tmpfs t /tmp
ip link set lo up
/hub --data /data --listen-http 127.0.0.1:0 --listen-blob 127.0.0.1:0 --listen-https 127.0.0.1:0 --listen-blob-https 127.0.0.1:10443 2>/tmp/log &
until grep -q ready /tmp/log; do sleep 1; done
fetch() {
  for version in 1.2 1.3; do
    curl -sk --tls-max $version "https://127.0.0.1:10443$(cat /url)" | sha256sum | grep -q $(cat /sha256) && echo "$1: right over TLS $version"
  done
}
fetch "without the kernel's TLS"
for again in 1 2 3; do for module in /modules/*.ko; do insmod $module 2>/dev/null; done; done
insmod /tls.ko
HOLDFAST_KERNEL_TLS=1 /identity_test --gtest_color=no --gtest_filter='TlsStream*'
fetch "with the kernel's TLS"
cat /proc/net/tls_stat
poweroff -f
"""


def stored(folder: pathlib.Path) -> tuple[pathlib.Path, str, str]:
    """A hub's data with one blob of 32 MiB, the path that reads it, and its digest."""
    import token_support
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas
    hub = token_support.TlsHub(folder).start()
    account = hub.create_account()
    container = hub.blobs(account, account.key, plain=True).create_container("tests")
    body = os.urandom(32 << 20)
    container.upload_blob("large", body)
    expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    signature = generate_blob_sas(account.name, "tests", "large", account_key=account.key, permission=BlobSasPermissions(read=True), expiry=expiry)
    hub.stop()
    return hub.data, f"/{account.name}/tests/large?{signature}", hashlib.sha256(body).hexdigest()


def add_program(root: pathlib.Path, program: pathlib.Path, at: str) -> None:
    """With the libraries that it is linked with, where its loader looks for them."""
    needed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout  # says nothing of one that is linked with none
    for source, place in [(program, at), *((library, library) for library in re.findall(r"(/\S+) \(", needed))]:
        into = root / str(place).lstrip("/")
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, into)


def kernel(folder: pathlib.Path) -> pathlib.Path:
    """Debian's, unpacked: the package that the one of this name stands for."""
    about = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], check=True, capture_output=True, text=True).stdout
    package = re.search(r"Depends: (linux-image-\S+)", about)[1]
    subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
    subprocess.run(["dpkg", "-x", next(folder.glob("linux-image-*.deb")), folder / "kernel"], check=True)
    return folder / "kernel"


def main() -> int:
    missing = [name for name in ("qemu-system-x86_64", "busybox", "cpio") if shutil.which(name) is None]
    if missing:
        print(f"not here: {', '.join(missing)}; apt-get install qemu-system-x86 busybox-static cpio", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="holdfast-vm-") as name:
        folder = pathlib.Path(name)
        root = folder / "root"
        for part in ("bin", "proc", "sys", "dev", "tmp", "modules"):
            (root / part).mkdir(parents=True)
        add_program(root, pathlib.Path(shutil.which("busybox")), "/bin/busybox")
        for command in COMMANDS:
            (root / "bin" / command).symlink_to("busybox")
        for program, at in ((BUILD / "bin/holdfast-hub", "/hub"), (BUILD / "src/identity/identity_test", "/identity_test"), (pathlib.Path(shutil.which("curl")), "/bin/curl")):
            add_program(root, program, at)
        modules = kernel(folder) / "lib/modules"
        shutil.copy(next(modules.rglob("tls.ko")), root / "tls.ko")
        for module in CRYPTO:
            shutil.copy(next(modules.rglob(module + ".ko")), root / "modules")
        data, url, digest = stored(folder)
        shutil.copytree(data, root / "data", ignore=shutil.ignore_patterns("run.json", "*.sock"))
        (root / "url").write_text(url)
        (root / "sha256").write_text(digest)
        (root / "init").write_text(INIT)
        (root / "init").chmod(0o755)
        subprocess.run("find . | cpio -o -H newc > ../memory.img", shell=True, cwd=root, check=True, capture_output=True)
        print("booting; about a minute", flush=True)
        # Without the host's help for virtual machines, which not every machine lends.
        said = subprocess.run(["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3G", "-smp", "2", "-nographic", "-no-reboot",
                               "-kernel", next((folder / "kernel/boot").glob("vmlinuz-*")), "-initrd", folder / "memory.img",
                               "-append", "console=ttyS0 quiet panic=-1"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900).stdout
    right = re.findall(r"(with\S* the kernel's TLS: right over TLS \S+)", said)
    counted = re.search(r"TlsTxSw\s+(\d+)", said)
    passed = re.search(r"\[  PASSED  \] \d+ tests", said) is not None and "FAILED" not in said
    print("\n".join([*right, f"connections that the kernel encrypted: {counted[1] if counted else 0}", f"the tests of the stream passed: {passed}"]))
    good = len(right) == 4 and passed and counted is not None and int(counted[1]) >= 3
    if not good:
        print(said[-4000:], file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
