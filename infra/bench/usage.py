"""What a served function takes of the machine: the server's parent and its worker together."""

import os
from pathlib import Path


def cpu_s(leader: int) -> float:
    """Return the processor time that they have used so far."""
    return sum(_cpu_s(pid) for pid in _group(leader))


def memory_mib(leader: int) -> float:
    """Return the memory that they hold, what they share counted once."""
    return sum(_shared_out_mib(pid) for pid in _group(leader))


def peak_mib(leader: int) -> float:
    """Return the memory that they held at most, what they share counted twice."""
    return sum(_peak_mib(pid) for pid in _group(leader))


def _group(leader: int) -> list[int]:
    """Return the server's parent and its worker."""
    workers = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    return [leader, *map(int, workers)]


def _shared_out_mib(pid: int) -> float:
    """Return a process's proportional set size: what is shared is shared out."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
