#!/usr/bin/env python3
"""How long it takes until a router knows that a rank or a group is dead: from the kill to the line in its log.

   detection.py FERRY MODEL [--repeat 5]       prints rows for docs/measurements/handoff.md
"""
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import free_port, ranks_of  # noqa: E402
from program import FERRY, MODEL, Command  # noqa: E402

GROUPS = ("prefill-0", "decode-0")
MPIRUN = ["mpirun", *(["--allow-run-as-root"] if os.geteuid() == 0 else []), "--oversubscribe", "--bind-to", "none",
          "--mca", "mpi_yield_when_idle", "1", "-n", "2"]


class Cluster:
    """A router that serves HTTP, and two groups of two ranks."""

    def __init__(self, folder):
        self.yaml, self.http = folder / "cluster.yaml", free_port()
        groups = "".join(f"  - {{name: {name}, role: {name.split('-')[0]}, tp: 2}}\n" for name in GROUPS)
        self.yaml.write_text(f"model: {MODEL}\nthreads: 1\nkv: {{memory: 64MiB}}\n"
                             f"router: {{control: '127.0.0.1:{free_port()}', listen: '127.0.0.1:{self.http}'}}\ngroups:\n{groups}")
        self.router = Command([FERRY, "router", str(self.yaml)])
        self.jobs = {}
        for name in GROUPS:
            self.start(name)
        self.router.wait_for_log("is ready over")

    def start(self, name):
        self.jobs[name] = Command([*MPIRUN, FERRY, "worker", str(self.yaml), "--group", name])

    def ms_until_known(self, name, pids):
        """From the kill to the line in which the router says that the path is lost; then the group comes back."""
        began = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.router.wait_for_log("is lost")
        took = 1000 * (time.monotonic() - began)
        self.jobs[name].end()
        self.start(name)
        self.router.wait_for_log("is ready over")
        return took

    def close(self):
        for name in GROUPS:
            self.jobs[name].process.terminate()
        for name in GROUPS:
            self.jobs[name].end()
        self.router.close()


def row(what, ms):
    print(f"| {what} | {statistics.median(ms):.0f} ms | {max(ms):.0f} ms |", flush=True)


def main():
    repeat = int(sys.argv[sys.argv.index("--repeat") + 1]) if "--repeat" in sys.argv else 5
    with tempfile.TemporaryDirectory(prefix="ferry-detection-") as folder:
        cluster = Cluster(pathlib.Path(folder))
        print(f"| of {repeat} | median | longest |\n|---|---|---|")
        for name in GROUPS:
            for what, chosen in (("rank 0", slice(0, 1)), ("rank 1", slice(1, 2)), ("all ranks", slice(0, 2))):
                row(f"kill -9 of {what} of {name}", [cluster.ms_until_known(name, ranks_of(cluster.yaml, name)[chosen]) for _ in range(repeat)])
        cluster.close()


if __name__ == "__main__":
    main()
