"""Medians, ratios and tables."""

import json
import platform
import statistics
import subprocess


class NoCleanWindow(Exception):
    """A contestant never had its CPU to itself."""


def rate_of(windows):
    """Returns the median rate of the clean windows."""
    rates = [window.rate for window in windows if window.is_clean]
    if not rates:
        raise NoCleanWindow
    return statistics.median(rates)


class Series:
    """What came of one contestant in one case, round by round."""

    def __init__(self):
        self.rounds = []
        self.rates = []

    def add(self, windows):
        """Adds a round."""
        self.rounds.append(windows)
        self.rates.append(rate_of(windows))

    @property
    def median(self):
        """The median over the rounds."""
        return statistics.median(self.rates)

    @property
    def kept(self):
        """How many windows counted, of how many."""
        windows = [window for windows in self.rounds for window in windows]
        return sum(window.is_clean for window in windows), len(windows)


def ratios(of, to):
    """Returns the ratio of two series in each round: neighbours in time, and so like with like."""
    return [one / other for one, other in zip(of.rates, to.rates)]


def spread(values):
    """Prints a median with the least and the greatest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def table(header, rows):
    """Returns a Markdown table."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def said(*command):
    """Returns what a command prints, or what stands for nothing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine(repository):
    """Returns what the numbers were measured on."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")]
    changed = said("git", "-C", repository, "status", "--porcelain", "--untracked-files=no")
    commit = said("git", "-C", repository, "rev-parse", "--short=12", "HEAD")
    return {
        "cpu": f"{len(models)} × {models[0] if models else 'unknown'}",
        "kernel": platform.release(),
        "dpdk": said("pkg-config", "--modversion", "libdpdk"),
        "rustc": said("rustc", "--version"),
        "commit": commit + ("" if changed in ("", "unknown") else " with changes"),
    }


def write_json(path, document):
    """Writes the raw numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
