"""The virtual machine: the one place that makes QEMU's command line and the guest's initial archive."""
import ctypes
import os
import shutil
import signal
import subprocess
import sys

import cpio

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
QEMU = "qemu-system-riscv64"
MIB = 1 << 20
LINUX_APPEND = "console=ttyS0 quiet loglevel=0 panic=-1 mitigations=off printk.devkmsg=off"


class Unusable(Exception):
    """The system cannot be run; the text says why."""


def build_dir(debug, measure=False):
    return os.path.join(TOP, "build", "debug" if debug else "measure" if measure else "release")


def tern_kernel(build):
    kernel = os.path.join(build, "kernel", "tern.bin")
    if not os.path.exists(kernel):
        preset = os.path.basename(build)
        raise Unusable(f"no kernel at {os.path.relpath(kernel)}: run `make build PRESET={preset}`")
    return kernel


def linux_kernel():
    """Debian's kernel, fetched at the first use."""
    fetch = os.path.join(TOP, "tools/fetch-deb")
    debs = os.path.join(TOP, "build/cache/debs")

    def get(package):
        if not os.path.isdir(os.path.join(debs, package)):
            print(f"(fetching {package}, once)", file=sys.stderr)
            done = subprocess.run([fetch, package], stdout=sys.stderr)
            if done.returncode:
                raise Unusable(f"could not fetch Debian's package {package}")
        return os.path.join(debs, package)

    control = open(os.path.join(get("linux-image-riscv64"), "control")).read()
    for word in control.replace(",", " ").split():
        if word.startswith("linux-image-") and word[len("linux-image-")].isdigit():
            boot = os.path.join(get(word), "root/boot")
            for name in sorted(os.listdir(boot)):
                if name.startswith("vmlinu"):
                    return os.path.join(boot, name)
    raise Unusable("found no kernel in Debian's package linux-image-riscv64")


def image(build, names):
    """Paths of the image's archives."""
    paths = [os.path.join(build, "image", f"{name}.cpio") for name in names]
    for path in paths:
        if not os.path.exists(path):
            preset = os.path.basename(build)
            raise Unusable(f"no image at {os.path.relpath(path)}: run `make build PRESET={preset}`")
    return paths


def put(archive, pairs):
    """Add host files and folders; `pairs` are (host path, guest path)."""
    for host, guest in pairs:
        if not os.path.lexists(host):
            raise Unusable(f"--put: no such file: {host}")
        if guest.endswith("/") and not os.path.isdir(host):
            guest += os.path.basename(host)
        archive.tree(guest.strip("/"), os.path.realpath(host))


def join(out, paths, fill=None):
    """Write the archives, and one more made by fill(archive), to the file `out`."""
    with open(out, "wb") as f:
        for path in paths:
            with open(path, "rb") as part:
                shutil.copyfileobj(part, f, 1 << 20)
        if fill:
            archive = cpio.Archive(f)
            fill(archive)
            archive.finish()


def parse_size(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    try:
        if text[-1:].upper() in units:
            return int(text[:-1]) * units[text[-1].upper()]
        return int(text) * MIB
    except ValueError:
        raise Unusable(f"not a memory size: {text}") from None


def memory(wanted, initrd, linux):
    """Bytes of memory: as wanted, else enough for an archive of that size.

    QEMU puts the archive at half of the memory, at most 128 MiB up, and the device tree behind it."""
    if wanted:
        return parse_size(wanted)
    size = os.path.getsize(initrd)
    least = (256 if linux else 128) * MIB
    need = 2 * size + 32 * MIB
    if need > 256 * MIB:
        need = size + 256 * MIB
    if linux:
        need += size + 128 * MIB  # Linux copies the archive's files
    return max(least, -(-need // (64 * MIB)) * 64 * MIB)


def command(kernel, initrd, append, smp, mem, icount, console, extra=()):
    # Wall-clock time would make two runs under icount differ.
    clock = ["-icount", "shift=0", "-rtc", "clock=vm"] if icount else []
    return [QEMU, "-machine", "virt", "-cpu", "rv64", "-smp", str(smp), "-m", f"{mem // MIB}M",
            "-bios", "default", "-display", "none", "-no-reboot", *clock, *console,
            "-kernel", kernel, "-initrd", initrd, "-append", append, *extra]


def die_with_parent():
    """For preexec_fn: QEMU must not outlive us, however we end."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
