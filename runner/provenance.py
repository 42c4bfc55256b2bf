"""Where numbers come from: versions, machine and commit."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("posterior-bench", "torch", "numpy", "scipy", "scikit-learn", "pandas")


def environment(device: str) -> dict[str, str]:
    """Return what can change a number's last bits: versions, processor, its capability and the device.

    Imports torch.
    """
    import torch

    found = {f"{name} version": metadata.version(name) for name in PACKAGES[:5]}
    found |= {"python": platform.python_version(), "system": platform.platform(terse=True)}
    found |= {"processor": processor(), "capability": torch.backends.cpu.get_cpu_capability()}
    found["compiler"] = compiler()
    found["device"] = torch.cuda.get_device_name() if device == "cuda" else device
    return found


def machine() -> dict[str, str | int]:
    """Return the machine in words, without importing torch."""
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that make or show numbers."""
    return {name: metadata.version(name) for name in PACKAGES}


@functools.cache
def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@functools.cache
def compiler() -> str:
    """Return what the C++ compiler that programs are made with says it is, "" where there is none."""
    command = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    try:
        said = subprocess.run(
            [*shlex.split(command), "--version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return said.stdout.partition("\n")[0].strip() or command


def commit() -> str:
    """Return the commit of this package's source, with "+" where it was changed, "" outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name],
            check=False,
            cwd=here,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip() if tracked.returncode == 0 else ""
