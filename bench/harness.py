"""Processes of a bench run: started pinned to a core, watched, and their CPU time taken from wait4."""

import dataclasses
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time


@dataclasses.dataclass
class Finished:
    """A child that has ended: what it used and what it said."""

    status: int
    cpu_s: float
    user_s: float
    system_s: float
    elapsed_s: float
    peak_rss: int  # bytes, VmHWM
    threads: dict  # name of a thread → CPU seconds, as last seen
    stdout: str
    stderr: str


def two_cores():
    """One for messina, one for messina-sim."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two cores are needed: one for messina, one for messina-sim")
    return cores[0], cores[1]


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


class Watch:
    """Reads VmHWM and the threads' CPU time of a process until it ends."""

    def __init__(self, pid, every_s=0.05):
        self.pid, self.every_s = pid, every_s
        self.peak, self.by_thread = 0, {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.wait(self.every_s):
            self._look()

    def _look(self):
        base = pathlib.Path("/proc") / str(self.pid)
        try:
            for line in (base / "status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)
            for task in (base / "task").iterdir():
                name = (task / "comm").read_text().strip()
                used = int((task / "schedstat").read_text().split()[0]) / 1e9
                self.by_thread[(task.name, name)] = used
        except (OSError, ValueError, IndexError):
            pass  # it is ending

    def stop(self):
        self.over.set()
        self.thread.join()
        threads = {}
        for (_, name), used in self.by_thread.items():
            threads[name] = threads.get(name, 0.0) + used
        return self.peak, threads


def run_child(command, core, cwd, env=None, timeout_s=1800, watch=True):
    """Runs `command` on `core` to its end."""
    out_path, err_path = pathlib.Path(cwd) / "child.out", pathlib.Path(cwd) / "child.err"
    with open(out_path, "wb") as out, open(err_path, "wb") as err:
        began = time.monotonic()
        child = subprocess.Popen(pinned(core, command), stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                 cwd=cwd, env=env)
        watcher = Watch(child.pid) if watch else None
        killer = threading.Timer(timeout_s, child.kill)
        killer.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        finally:
            killer.cancel()
        elapsed = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        peak, threads = watcher.stop() if watcher else (0, {})
    return Finished(child.returncode, used.ru_utime + used.ru_stime, used.ru_utime, used.ru_stime, elapsed, peak,
                    threads, out_path.read_text(errors="replace"), err_path.read_text(errors="replace"))


class Server:
    """messina-sim for as long as the `with` block lasts; its first line of output names the addresses."""

    def __init__(self, command, core, log_path):
        self.command, self.core, self.log_path = command, core, pathlib.Path(log_path)

    def __enter__(self):
        """Gives {"dynamodb": "HOST:PORT", "alternator": "HOST:PORT"}, as far as they are served."""
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(pinned(self.core, self.command), stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            for line in self.log_path.read_text(errors="replace").splitlines():
                if line.startswith("ready "):
                    return dict(word.split("=", 1) for word in line.split()[1:])
            time.sleep(0.02)
        self.__exit__()
        raise RuntimeError("messina-sim does not start: " + self.log_path.read_text(errors="replace")[-2000:])

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def certificate(folder):
    """A certificate of our own for 127.0.0.1; returns (certificate, key)."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not cert.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    return cert, key


def last_json_line(text):
    for line in reversed(text.strip().splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError("no JSON in: " + text[-500:])


@dataclasses.dataclass
class Sample:
    """Values of repeated runs."""

    values: list

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def spread(self):
        """Largest minus smallest, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


def machine(build):
    """What the figures were measured on."""
    cpu = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    cache = {}
    for line in (build / "CMakeCache.txt").read_text().splitlines():
        if ":" in line and "=" in line and not line.startswith(("#", "//")):
            name, value = line.split("=", 1)
            cache[name.split(":")[0]] = value
    compiler = cache.get("CMAKE_CXX_COMPILER", "c++")
    compiler_version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.splitlines()[:1]
    kind = cache.get("CMAKE_BUILD_TYPE", "")
    commit = "unknown"
    if shutil.which("git"):
        root = pathlib.Path(__file__).resolve().parent
        commit = subprocess.run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True,
                                text=True).stdout.strip() or commit
    memory = next((line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                   if line.startswith("MemTotal:")), "0")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory) / 1e6, 1),
        "kernel": platform.release(),
        "compiler": (compiler_version or ["unknown"])[0],
        "flags": f"{kind}: {cache.get('CMAKE_CXX_FLAGS_' + kind.upper(), '')}".strip(),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "virtual": "hypervisor" in pathlib.Path("/proc/cpuinfo").read_text(),
    }
