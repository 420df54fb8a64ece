#!/usr/bin/env python3
"""What long prompts that keep coming cost those who are reading an answer: p99 of the time between tokens of four streams, while
prompts of 2,000 tokens arrive one after another, as a ratio to the same streams alone. A prefill and a decode group, each on its
own core, against two mixed groups on the same two cores with the chunk size that is best for them.

   interference.py FERRY MODEL [--chunks 64,128,256,512] [--plot FILE.svg]        one JSON line each

Both cores are needed, and nobody else on them.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import free_port, pages  # noqa: E402

STREAMS, ANSWERS, TOKENS, PROMPT = 4, 32, 64, 2000
GOAL = 1.3


class Cluster:
    """A router and two groups, the first on core 0 and the second on core 1."""

    def __init__(self, ferry, model, roles, chunk):
        self.folder = tempfile.TemporaryDirectory(prefix="ferry-interference-")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        yaml = pathlib.Path(self.folder.name) / "cluster.yaml"
        groups = ", ".join(f"{{name: {role}-{i}, role: {role}}}" for i, role in enumerate(roles))
        yaml.write_text(f"model: {model}\nthreads: 1\nkv: {{memory: 512MiB, prefix_cache: off}}\ngroups: [{groups}]\n"
                        f"deadline_ms: 600000\nscheduling: {{max_batch_tokens: {chunk}}}\n"
                        f'router: {{listen: "127.0.0.1:{port}", control: "127.0.0.1:{free_port()}"}}\n')
        self.processes = [subprocess.Popen([ferry, "-q", "router", yaml])]
        for core, role in enumerate(roles):
            self.processes.append(subprocess.Popen(["taskset", "-c", str(core), ferry, "-q", "worker", yaml, "--group", f"{role}-{core}"]))
        self.wait_for_groups(len(roles))

    def wait_for_groups(self, n):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.url + "/metrics") as metrics:
                    there = len(pages(metrics.read().decode())) == n
                with urllib.request.urlopen(self.url + "/ready"):
                    if there:
                        return
            except OSError:
                pass
            time.sleep(0.2)
        sys.exit("the groups did not come")

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()
        self.folder.cleanup()


def load(ferry, url, *options):
    return subprocess.Popen([ferry, "-q", "bench", "serve", "--url", url, "--json", *map(str, options)], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def streams(ferry, url):
    out, _ = load(ferry, url, "--concurrency", STREAMS, "--requests", ANSWERS, "--prompt-tokens", 16, "--max-tokens", TOKENS).communicate()
    return json.loads(out)


def measure(ferry, model, roles, chunk):
    cluster = Cluster(ferry, model, roles, chunk)
    try:
        streams(ferry, cluster.url)  # warms up
        alone = streams(ferry, cluster.url)
        prompts = load(ferry, cluster.url, "--concurrency", 1, "--requests", 10000, "--prompt-tokens", PROMPT, "--max-tokens", 1, "--seed", 7)
        time.sleep(2)
        loaded = streams(ferry, cluster.url)
        prompts.terminate()
        prompts.wait()
    finally:
        cluster.close()
    p99 = {"alone": alone["itl_ms"]["p99"], "loaded": loaded["itl_ms"]["p99"]}
    return {"groups": "+".join(roles), "chunk": chunk, "itl_p99_alone_ms": p99["alone"], "itl_p99_loaded_ms": p99["loaded"],
            "ratio": p99["loaded"] / p99["alone"], "tokens_per_s_loaded": loaded["tokens_per_s"], "errors": loaded["errors"]}


def svg(rows):
    """A bar for the ratio of each way of serving, and a line where the goal is."""
    left, most = 210, 360
    scale = most / max(row["ratio"] for row in rows)
    bottom, goal = 44 + 32 * len(rows), left + GOAL * scale
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{bottom + 24}" font-family="sans-serif" font-size="13">'
             f'<rect width="100%" height="100%" fill="white"/><text x="16" y="24" font-size="15">p99 between tokens while prompts of {PROMPT} '
             "tokens arrive, over p99 alone</text>"]
    for i, row in enumerate(rows):
        y, width = 44 + 32 * i, row["ratio"] * scale
        parts.append(f'<text x="16" y="{y + 15}">{row["groups"]}, chunk {row["chunk"]}</text><rect x="{left}" y="{y}" width="{width:.0f}" '
                     f'height="20" fill="#3b6ea5"/><text x="{left + 8 + width:.0f}" y="{y + 15}">{row["ratio"]:.2f}</text>')
    parts.append(f'<path d="M{goal:.0f} 38V{bottom}" stroke="#b03030" stroke-dasharray="4 3"/><text x="{goal:.0f}" y="{bottom + 14}" '
                 f'text-anchor="middle" fill="#b03030">{GOAL}</text>')
    return "".join(parts) + "</svg>\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("ferry", type=os.path.abspath)
    p.add_argument("model", type=os.path.abspath)
    p.add_argument("--chunks", default="64,128,256,512")
    p.add_argument("--plot")
    a = p.parse_args()
    rows = [measure(a.ferry, a.model, ("prefill", "decode"), 512)]
    print(json.dumps(rows[0]), flush=True)
    for chunk in map(int, a.chunks.split(",")):
        rows.append(measure(a.ferry, a.model, ("mixed", "mixed"), chunk))
        print(json.dumps(rows[-1]), flush=True)
    if a.plot:
        pathlib.Path(a.plot).write_text(svg(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
