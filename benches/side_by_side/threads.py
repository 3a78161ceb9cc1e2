"""Threads of other processes: finding them, how long they were on a CPU, and windows in time."""

import ctypes
import os
import re
import subprocess
import time
from dataclasses import dataclass

# A window in which the thread was on its CPU for less than this says nothing about the program.
ON_CPU_RATIO_MIN = 0.97

PR_SET_PDEATHSIG = 1
SIGKILL = 9


@dataclass
class Window:
    """What a contestant did in one stretch of time."""

    units: int
    wall_ns: int
    cpu_ns: int
    # Why the window does not count although nobody was preempted, or None.
    spoilt: str | None = None

    @property
    def rate(self):
        """Units per second."""
        return self.units / self.wall_ns * 1e9

    @property
    def is_clean(self):
        """Whether the thread had its CPU to itself, and nothing else held it up."""
        return self.spoilt is None and self.cpu_ns >= ON_CPU_RATIO_MIN * self.wall_ns

    def as_json(self):
        """Returns what is kept of it in the file of raw numbers."""
        return {
            "units": self.units,
            "wall_ns": self.wall_ns,
            "cpu_ns": self.cpu_ns,
            "spoilt": self.spoilt,
            "clean": self.is_clean,
        }


def start(command, **options):
    """Starts a contestant, as much ahead of everybody else as the system lets us."""

    def before_exec():
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
        prefer()

    return subprocess.Popen(command, preexec_fn=before_exec, text=True, **options)


def prefer():
    """Puts this process ahead of others, so that fewer windows are lost; none of it is needed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        # With autogroup scheduling, niceness counts only within a session; this is between them.
        with open("/proc/self/autogroup", "w", encoding="ascii") as autogroup:
            autogroup.write("-20")
    except OSError:
        pass


def find(pid, pattern):
    """Returns the id of the thread whose name matches, or None."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as comm:
            if re.fullmatch(pattern, comm.read().strip()):
                return int(tid)
    return None


def on_cpu_ns(pid, tid):
    """Returns how long a thread has been on a CPU. It is exact to the scheduler's tick."""
    with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as schedstat:
        return int(schedstat.read().split()[0])


def wait_until(condition, seconds, what):
    """Waits until `condition` returns something, and returns that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise TimeoutError(f"{what} did not happen within {seconds} s")


def end(process, seconds=10):
    """Waits for a contestant that was told to end, and ends it if it does not."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
