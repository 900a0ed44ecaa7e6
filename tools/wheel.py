"""Builds dist/: the sources and, from them, a wheel with the right platform tag.

A wheel with the kernel is for Linux on x86-64; auditwheel tags it for the oldest glibc that it
runs with (manylinux). Without the kernel (no compiler, another platform) it is py3-none-any, pure
Python.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST, MADE = ROOT / "dist", ROOT / "build" / "wheel"
KERNEL = "gazelle/_engine/kernel/"


def main() -> int:
    """Build and tag the wheel, and print what was built."""
    for folder in (DIST, MADE):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run(sys.executable, "-m", "build", "--outdir", MADE, ROOT)
    (sources,), (wheel,) = MADE.glob("*.tar.gz"), MADE.glob("*.whl")
    shutil.copy(sources, DIST)
    if wheel.name.endswith("-none-any.whl"):
        shutil.copy(wheel, DIST)
    else:
        run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", DIST, wheel)
    (tagged,) = DIST.glob("*.whl")
    before, after = kernels(wheel), kernels(tagged)
    if before != after:
        sys.exit(
            f"{tagged.name}: auditwheel changed the kernel's libraries, whose hashes are in"
            " kernel.json"
        )
    for path in sorted(DIST.iterdir()):
        print(f"dist/{path.name}  {path.stat().st_size / 1e6:.1f} MB")
    print(f"The wheel has {'the kernel' if after else 'no kernel: it is pure Python'}.")
    return 0


def run(*command: object) -> None:
    """Run a program; if it fails, exit with its output."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{command[2]} failed")


def kernels(wheel: Path) -> dict[str, bytes]:
    """The kernel's libraries in a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(KERNEL)]
        return {name: archive.read(name) for name in names if name.endswith(".so")}


if __name__ == "__main__":
    sys.exit(main())
