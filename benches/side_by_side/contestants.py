"""The programs that run side by side: how each is started, watched and ended."""

import json
import os
import re
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import threads
from .threads import Window

# EAL calls its threads `rte-worker-1`, `lcore-worker-1` or `dpdk-worker1`, by its version.
WORKER = r"(rte|lcore|dpdk)-worker-?1"
START_SECONDS = 15
ANSWER_SECONDS = 10


class Bench:
    """What all contestants share: programs, CPUs, memory and how long to look."""

    def __init__(self, programs, cpus, hugepages, window_ms, windows, scratch):
        self.programs = programs
        self.control_cpu, self.lcore_cpu = cpus
        self.hugepages = hugepages
        self.window_ms = window_ms
        self.windows = windows
        self.scratch = scratch

    def eal(self, vdev, mbufs):
        """Returns EAL's arguments for programs other than Weir, as Weir derives its own."""
        memory_mib = (mbufs * 2432 >> 20) + 64
        memory = (
            ["--in-memory"] if self.hugepages else ["--no-huge", "--no-shconf", "-m", str(memory_mib)]
        )
        return [
            f"--lcores=0@{self.control_cpu},1@{self.lcore_cpu}",
            "--main-lcore=0",
            *memory,
            "--no-telemetry",
            "--no-pci",
            f"--file-prefix=side-by-side-{os.getpid()}",
            "--log-level=*:warning",
            f"--vdev={vdev}",
        ]

    def watch(self, pid, tid, read):
        """Looks at a running contestant for as many windows as are wanted.

        `read` returns what the contestant counts, when (in ns), and a number that changes when
        something held the thread up.
        """
        windows = []
        (units, now_ns, held_up), cpu_ns = read(), threads.on_cpu_ns(pid, tid)
        for _ in range(self.windows):
            time.sleep(self.window_ms / 1e3)
            before = units, now_ns, held_up, cpu_ns
            (units, now_ns, held_up), cpu_ns = read(), threads.on_cpu_ns(pid, tid)
            spoilt = "held up" if held_up != before[2] else None
            windows.append(
                Window(units - before[0], now_ns - before[1], cpu_ns - before[3], spoilt)
            )
        return windows

    def warm_up(self):
        """Lets a contestant run in before it is looked at."""
        time.sleep(0.3)


def self_watched(bench, command):
    """Runs a program that prints its own windows as JSON, the first one for warming up."""
    with threads.start(command, stdout=subprocess.PIPE, cwd=bench.scratch) as process:
        said = process.stdout.read()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed")
    lines = [json.loads(line) for line in said.splitlines()]
    return [Window(line["units"], line["wall_ns"], line["cpu_ns"]) for line in lines[1:]]


def bare_loop(bench, vdev, mbufs):
    """Receive, copy, free, in C."""
    windows = bench.windows + 1
    program = [bench.programs["bare_loop"], *bench.eal(vdev, mbufs), "--"]
    return self_watched(bench, [*program, str(mbufs), str(bench.window_ms), str(windows)])


def bare_zstd(bench, blocks, level, block_bytes):
    """zstd alone, over and over the same blocks."""
    windows = bench.windows + 1
    arguments = [blocks, str(level), str(block_bytes), str(bench.window_ms), str(windows)]
    pinned = ["taskset", "-c", str(bench.control_cpu)]
    return self_watched(bench, [*pinned, bench.programs["bare_zstd"], *arguments])


class Testpmd:
    """A running `dpdk-testpmd`, told what to do as a person would tell it."""

    def __init__(self, command, folder):
        # To a terminal it prints lines; into a pipe it would print when its buffer is full.
        self.terminal, its_end = os.openpty()
        self.unread = b""
        self.process = threads.start(
            command,
            stdin=subprocess.PIPE,
            stdout=its_end,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            bufsize=1,
        )
        os.close(its_end)

    def tell(self, *lines):
        """Types lines."""
        self.process.stdin.write("".join(f"{line}\n" for line in lines))

    def read_until(self, pattern):
        """Reads what it prints up to a match, and returns the match."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not (found := re.search(pattern, self.unread)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise TimeoutError(f"testpmd did not print {pattern}: {self.unread}")
            self.unread += os.read(self.terminal, 1 << 16)
        self.unread = self.unread[found.end() :]
        return found

    def received_packets(self):
        """Asks how many packets were received so far."""
        self.tell("show port stats 0")
        return int(self.read_until(rb"RX-packets:\s*(\d+)\s")[1])

    def quit(self):
        """Ends it, whatever it is doing."""
        try:
            self.tell("stop", "quit")
            self.read_until(rb"Bye")
        except OSError:
            pass
        threads.end(self.process, seconds=1)
        os.close(self.terminal)


def testpmd(bench, vdev, mbufs):
    """DPDK's own receive loop: receive and free, no copy."""
    command = [bench.programs["testpmd"], *bench.eal(vdev, mbufs), "--", "--interactive"]
    command += ["--forward-mode=rxonly", "--burst=64", "--rxd=1024", "--no-mlockall"]
    command += [f"--total-num-mbufs={mbufs}", "--mbcache=256"]
    running = Testpmd(command, bench.scratch)
    pid = running.process.pid

    def read():
        return running.received_packets(), time.monotonic_ns(), 0

    try:
        running.tell("start")
        threads.wait_until(lambda: read()[0] > 0, START_SECONDS, "testpmd's first packet")
        bench.warm_up()
        return bench.watch(pid, threads.find(pid, WORKER), read)
    finally:
        running.quit()


class Weir:
    """A running `weir run`, asked over its control socket."""

    def __init__(self, bench, port, settings):
        self.bench = bench
        self.folder = tempfile.TemporaryDirectory(prefix="weir-", dir=bench.scratch)
        path = Path(self.folder.name)
        config = path / "weir.toml"
        config.write_text(toml(bench, port, settings, path / "segments"), encoding="utf-8")
        self.socket = str(path / "socket")
        command = [bench.programs["weir"], "--log-level=warn", "run", f"--config={config}"]
        # Signals that Python ignores stay ignored, SIGXFSZ among them: see refuse_writes.
        self.process = threads.start(
            [*command, f"--socket={self.socket}"],
            # A pipe holds what little is said at this level, and is no file: see refuse_writes.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            restore_signals=False,
        )
        try:
            threads.wait_until(self.is_receiving, START_SECONDS, "weir's first packet")
        except Exception:
            threads.end(self.process, seconds=0)
            self.tell()
            raise

    def is_receiving(self):
        """Returns whether packets come."""
        if self.process.poll() is not None:
            raise RuntimeError(f"weir ended with {self.process.returncode}")
        try:
            return self.stats()["accounting"]["received_packets"] > 0
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def ask(self, verb):
        """Asks for something and returns the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            connection.sendall(json.dumps({"version": 1, "verb": verb}).encode() + b"\n")
            answer = json.loads(connection.makefile(encoding="utf-8").readline())
        if not answer["ok"]:
            raise RuntimeError(answer["error"])
        return answer.get("data")

    def stats(self):
        """Returns the live numbers."""
        return self.ask("stats")

    def refuse_writes(self, refused):
        """Has the kernel refuse every write to a file (EFBIG), or no longer."""
        limit = 1 if refused else resource.RLIM_INFINITY
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, hard))

    def tell(self):
        """Prints what weir said, when it has ended."""
        print(self.process.stdout.read(), file=sys.stderr)

    def stop(self):
        """Ends the capture and returns its last live numbers."""
        stats = self.stats()
        self.ask("stop")
        if threads.end(self.process) != 0:
            self.tell()
            raise RuntimeError(f"weir ended with {self.process.returncode}")
        self.process.stdout.close()
        self.folder.cleanup()
        return stats


def toml(bench, port, settings, directory):
    """Returns Weir's configuration."""
    vdev, mbufs = port
    return f"""
[[ports]]
vdev = "{vdev}"
when_full = "hold"
[topology]
cpus = [{bench.control_cpu}, {bench.lcore_cpu}]
shape = "fused"
[buffers]
mbufs = {mbufs}
[eal]
hugepages = "{"on" if bench.hugepages else "off"}"
[output]
directory = "{directory}"
{settings.get("output", "")}
[capture]
{settings.get("capture", "")}
"""


def weir_lcore(bench, vdev, mbufs, capture=""):
    """Weir's lcore: receive, stamp, judge, copy into finished blocks, free.

    Where blocks go must not matter, so the kernel is told to refuse all writes: Output takes each
    block, tries to write it, and gives it up, counted as lost to a full disk. A window
    in which there was no free block all the same does not count.
    """
    settings = {"output": 'compression = "none"', "capture": capture}
    weir = Weir(bench, (vdev, mbufs), settings)
    weir.refuse_writes(True)

    def read():
        stats = weir.stats()
        return (
            stats["accounting"]["received_packets"],
            round(stats["uptime_seconds"] * 1e9),
            stats["buffers"]["block_denials"],
        )

    bench.warm_up()
    windows = bench.watch(weir.process.pid, threads.find(weir.process.pid, WORKER), read)
    weir.refuse_writes(False)
    check_account(weir.stop())
    return windows


def check_account(stats):
    """A rate counts only if every packet is accounted for and none was given up by the lcore."""
    account = stats["accounting"]
    if account["unexplained_packets"] != 0 or account["unexplained_bytes"] != 0:
        raise RuntimeError(f"packets are unexplained: {account}")
    lost_by_output = account["lost"]["disk_full_packets"] + account["lost"]["io_error_packets"]
    if account["lost_packets"] != lost_by_output:
        raise RuntimeError(f"the lcore lost packets: {account}")


def weir_output(bench, vdev, mbufs, level):
    """Weir's Output: compress, hash, write. Every packet is stored, none lost."""
    settings = {"output": f"compression_level = {level}"}
    weir = Weir(bench, (vdev, mbufs), settings)

    def read():
        stats = weir.stats()
        return stats["output"]["encoded_bytes"], round(stats["uptime_seconds"] * 1e9), 0

    bench.warm_up()
    windows = bench.watch(weir.process.pid, threads.find(weir.process.pid, "weir-lcore-2"), read)
    stats = weir.stop()
    check_account(stats)
    if stats["accounting"]["lost_packets"] != 0:
        raise RuntimeError(f"packets were lost: {stats['accounting']}")
    return windows


def raw_blocks(bench, vdev, mbufs, packets, target):
    """Has Weir store the packets of a port uncompressed, and keeps the file."""
    output = 'compression = "none"'
    weir_settings = {"output": output, "capture": f"stop_after_packets = {packets}"}
    with tempfile.TemporaryDirectory(prefix="weir-", dir=bench.scratch) as folder:
        config = Path(folder) / "weir.toml"
        segments = Path(folder) / "segments"
        config.write_text(toml(bench, (vdev, mbufs), weir_settings, segments), encoding="utf-8")
        command = [bench.programs["weir"], "--log-level=warn", "run", f"--config={config}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (segment,) = segments.glob("*.pcapng")
        shutil.move(segment, target)
