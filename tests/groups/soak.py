#!/usr/bin/env python3
"""A long storm: prompts flow through two prefill and two decode groups while every few seconds a process is killed, and
its group started again. Every answer must hold the tokens that one process computes; at the end every page is free.

   soak.py FERRY MODEL [--minutes 30] [--every 10] [--seed 1]
"""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import pages, ranks_of  # noqa: E402

GROUPS = {"prefill-0": ("prefill", 2), "decode-0": ("decode", 2), "prefill-1": ("prefill", 1), "decode-1": ("decode", 1)}
TEXTS = ["The capital of France is", "Once upon a time", "1, 2, 3, 4, 5,", "The sea is wide and I cannot", "A ferry is",
         "Rivers " * 40, "It was the best of times, it was the worst of times, " * 6]


class Cluster:
    def __init__(self, ferry, model, folder):
        self.ferry, self.folder = ferry, folder
        self.yaml = folder / "cluster.yaml"
        groups = "".join(f"  - {{name: {n}, role: {role}, tp: {tp}}}\n" for n, (role, tp) in GROUPS.items())
        port = 20000 + os.getpid() % 20000
        self.yaml.write_text(f"model: {model}\nthreads: 1\nkv: {{memory: 32MiB}}\nlink: {{verify: all}}\ndeadline_ms: 60000\n"
                             f"scheduling: {{max_sequences: 6}}\nrouter: {{control: '127.0.0.1:{port}'}}\ngroups:\n{groups}")
        self.metrics = folder / "metrics.txt"
        self.jobs = {}
        self.router = subprocess.Popen([ferry, "router", self.yaml, "--prompts", "-", "--json", "--metrics", self.metrics],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(folder / "router.log", "w"), text=True)
        for name in GROUPS:
            self.start(name)

    def start(self, name):
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        mpirun = ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-n", str(GROUPS[name][1])]
        self.jobs[name] = subprocess.Popen([*mpirun, self.ferry, "worker", self.yaml, "--group", name], stdin=subprocess.DEVNULL,
                                           stdout=subprocess.DEVNULL, stderr=open(self.folder / f"{name}.log", "a"))

    def kill_one(self, rng):
        name = rng.choice(list(GROUPS))
        ranks = ranks_of(self.yaml, name)
        if not ranks:
            return None
        try:
            os.kill(rng.choice(ranks), signal.SIGKILL)
        except ProcessLookupError:
            return None
        return name

    def revive(self):
        for name, job in self.jobs.items():
            if job.poll() is not None:
                self.start(name)

    def end(self):
        for job in self.jobs.values():
            job.terminate()
        for job in self.jobs.values():
            job.wait()


def expected_tokens(ferry, model, folder, prompts):
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps(p) + "\n" for p in prompts))
    out = subprocess.run([ferry, "generate", "--model", model, "--prompts", path, "--json"], capture_output=True, text=True, check=True)
    return [json.loads(line)["ids"] for line in out.stdout.splitlines()]


class Storm:
    """Feeds prompts, a bounded number at a time, and compares what comes back."""

    def __init__(self, cluster, prompts, expected):
        self.cluster, self.prompts, self.expected = cluster, prompts, expected
        self.wrong, self.failed, self.done, self.retries, self.sent = [], [], 0, 0, 0
        self.room = threading.Semaphore(8)
        self.over = threading.Event()
        self.reader = threading.Thread(target=self.read)
        self.feeder = threading.Thread(target=self.feed)

    def feed(self):
        with self.cluster.router.stdin as pipe:
            while not self.over.is_set():
                if self.room.acquire(timeout=0.5):
                    pipe.write(json.dumps({**self.prompts[self.sent % len(self.prompts)], "id": str(self.sent)}) + "\n")
                    pipe.flush()
                    self.sent += 1

    def read(self):
        for line in self.cluster.router.stdout:
            result = json.loads(line)
            want = self.expected[int(result["id"]) % len(self.prompts)]
            if result["error"]:
                self.failed.append(result["error"])
                if result["ids"] != want[:len(result["ids"])]:
                    self.wrong.append(result)
            elif result["ids"] != want:
                self.wrong.append(result)
            self.retries += len(result["route"]["retries"])
            self.done += 1
            self.room.release()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("ferry", type=os.path.abspath)
    p.add_argument("model", type=os.path.abspath)
    p.add_argument("--minutes", type=float, default=30)
    p.add_argument("--every", type=float, default=10)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    rng = random.Random(a.seed)
    prompts = [{"prompt": t, "max_tokens": 8 + 9 * i, "ignore_eos": True} for i, t in enumerate(TEXTS)]
    with tempfile.TemporaryDirectory(prefix="ferry-soak-") as name:
        folder = pathlib.Path(name)
        expected = expected_tokens(a.ferry, a.model, folder, prompts)
        cluster = Cluster(a.ferry, a.model, folder)
        storm = Storm(cluster, prompts, expected)
        storm.reader.start()
        storm.feeder.start()
        kills, end, next_kill = 0, time.monotonic() + 60 * a.minutes, time.monotonic() + 20
        while time.monotonic() < end and cluster.router.poll() is None:
            time.sleep(1)
            cluster.revive()
            if time.monotonic() < next_kill:
                continue
            next_kill += a.every
            kills += cluster.kill_one(rng) is not None
            print(f"{kills} kills, {storm.done} answers, {len(storm.failed)} failed, {len(storm.wrong)} wrong, {storm.retries} retries", flush=True)
        storm.over.set()
        cluster.revive()
        storm.feeder.join()
        cluster.router.wait(timeout=120)
        storm.reader.join()
        metrics = cluster.metrics.read_text()
        cluster.end()
        log = (folder / "router.log").read_text()
    leaked = {g: n for g, n in pages(metrics).items() if n["free"] != sum(n.values())}
    lost = storm.sent - storm.done
    print(json.dumps({"minutes": a.minutes, "kills": kills, "answers": storm.done, "lost": lost, "failed": len(storm.failed),
                      "wrong": len(storm.wrong), "retries": storm.retries, "leaked_pages": leaked}))
    for why in sorted(set(storm.failed))[:10]:
        print("failed:", why)
    if storm.wrong or leaked or lost:
        print(json.dumps(storm.wrong[:3]), metrics, log[-3000:], sep="\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
