"""What the figures were taken on, and how quiet it was."""

import os
import pathlib
import platform
import time


def _cpu_model() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _governor() -> str:
    path = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text().strip() if path.exists() else "not said"


def _load() -> str:
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def header() -> str:
    cpus = len(os.sched_getaffinity(0))
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (f"machine: {_cpu_model()}, {cpus} CPUs; Linux {platform.release()}; governor {_governor()}; "
            f"load average {_load()} at the start; {now}")


def footer() -> str:
    return f"load average {_load()} at the end: figures of a machine that does other things are too high"
