#!/usr/bin/env python3
"""A storm over HTTP: thousands of requests of which some are nonsense, some are cancelled at any moment, and some can never
be done in time, while every few seconds a rank of a group is killed. At the end every request has ended in exactly one way,
for its client and for the router alike; every page of every group is free; and the router is as large as before.

   storm_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason

FERRY_STORM_SEED and FERRY_STORM_REQUESTS choose another storm.
"""
import asyncio
import collections
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster  # noqa: E402
from deployment import Deployment  # noqa: E402
from program import ProgramTest, alive, main  # noqa: E402

SEED = int(os.environ.get("FERRY_STORM_SEED", "1"))
N = int(os.environ.get("FERRY_STORM_REQUESTS", "2000"))
CLIENTS = 48
KILL_EVERY_S, KILLS = 5, 12  # more, and groups that end again and again are started later and later
MOST_GROWTH_MIB = 48  # of the router, over what it is after the warm-up: its request log, and what malloc keeps
GROUPS = ("prefill-0", "prefill-1", "decode-0", "decode-1")
YAML = """  - {name: prefill-0, role: prefill}
  - {name: prefill-1, role: prefill}
  - {name: decode-0, role: decode}
  - {name: decode-1, role: decode, tp: 2}
"""
PATHS = tuple(f"{p} → {d}" for p in GROUPS[:2] for d in GROUPS[2:])
PROMPTS = ("A ferry", "The sea", "Once", "1, 2, 3,", "Hello")

# What is asked, with its share in a hundred.
KINDS = {"stream": 40, "whole": 18, "leaves at once": 10, "leaves in the middle": 14, "nonsense": 12, "never in time": 0.5,
         "leaves soon": 5.5}
NONSENSE = (b"", b"{", b"[]", b'{"prompt": 5}', b'{"prompt": "a", "max_tokens": -1}', b'{"prompt": "a", "model": "none"}',
            b'{"prompt": "a", "temperature": "hot"}', b'{"prompt": "' + b"a " * 9000 + b'"}', b'{"prompt": "\xff"}')


class Gone(Exception):
    """The client has had enough."""


class Client:
    """One request and its end, over a connection of its own."""

    def __init__(self, port, kind, rng):
        self.port, self.kind = port, kind
        ask = {"prompt": rng.choice(PROMPTS), "max_tokens": rng.randint(1, 6), "ignore_eos": True, "temperature": 0,
               "stream": kind != "whole"}
        if kind == "never in time":
            ask["max_tokens"] = 1200
        if kind == "leaves in the middle":
            ask["max_tokens"] = 200
        self.body = rng.choice(NONSENSE) if kind == "nonsense" else json.dumps(ask).encode()
        self.patience_s = rng.uniform(0, 0.3) if kind == "leaves soon" else None
        self.n_events = rng.randint(1, 4) if kind == "leaves in the middle" else None

    async def run(self):
        """How it ended, in one word or two."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as e:
            return f"no connection: {e}"
        try:
            writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                         % (len(self.body), self.body))
            if self.kind == "leaves at once":
                return "left"
            return await asyncio.wait_for(self.read(reader), self.patience_s or 60)
        except Gone:
            return "left"
        except asyncio.TimeoutError:
            return "left" if self.patience_s is not None else "nothing for a minute"
        except (asyncio.IncompleteReadError, ConnectionError) as e:
            return f"cut off: {type(e).__name__}"
        finally:
            writer.close()

    async def read(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ")[1])
        if "chunked" not in head.lower():
            length = int(re.search(r"content-length: (\d+)", head.lower()).group(1))
            body = json.loads(await reader.readexactly(length))
            if status == 200:
                return "finished" if body["choices"][0]["finish_reason"] == "length" else f"odd: {body}"
            return f"refused {status}" if status in (400, 404) else f"failed {status}"
        return await self.read_stream(reader)

    async def read_stream(self, reader):
        ends = []
        while size := int(await reader.readline(), 16):
            for event in (await reader.readexactly(size + 2)).decode().strip().split("\n\n"):
                payload = event.removeprefix("data: ")
                if ends[-1:] == ["done"]:
                    return f"odd: {payload} after the end"
                ends += [] if (end := end_in(payload)) is None else [end]
            if self.n_events is not None:
                self.n_events -= 1
                if self.n_events <= 0:
                    raise Gone
        if ends == ["length", "done"]:
            return "finished"
        return "failed in the middle" if ends == ["error", "done"] else f"odd: a stream ends in {ends}"


def end_in(payload):
    """What an event of a stream says of its end."""
    if payload == "[DONE]":
        return "done"
    event = json.loads(payload)
    return "error" if "error" in event else event["choices"][0]["finish_reason"]


class Storm(ProgramTest):
    def test_every_request_ends_once_and_nothing_is_left_behind(self):
        print(f"seed {SEED}, {N} requests", flush=True)
        self.ferry = Deployment(self, "scheduling: {max_sequences: 16}\ndeadline_ms: 20000\n", YAML, "64MiB", PATHS)
        self.rng = random.Random(SEED)
        self.victims = random.Random(SEED + 1)
        self.storm(60)  # warms up; nobody is killed
        self.wait_until_calm()
        before, at_first = self.size_of_router(), self.counted()

        ends = self.storm(N, kills=True)
        print({f"{kind}: {end}": n for (kind, end), n in sorted(ends.items())}, flush=True)
        self.wait_until_calm()
        self.check_ends(ends, {name: n - at_first[name] for name, n in self.counted().items()})
        after = self.size_of_router()
        print(f"router before and after: {before}, {after}")
        self.assertLessEqual(after["files"], before["files"] + 4, "streams of groups that came back")
        self.assertLess(after["MiB"], before["MiB"] + MOST_GROWTH_MIB)

    def storm(self, n, kills=False):
        """n requests from CLIENTS clients: a counter of (kind, end)."""
        kinds = self.rng.choices(list(KINDS), KINDS.values(), k=n)
        clients = [Client(self.ferry.port, kind, self.rng) for kind in kinds]
        return asyncio.run(self.run_all(clients, kills))

    async def run_all(self, clients, kills):
        ends, waiting = collections.Counter(), iter(clients)

        async def keep_asking():
            for client in waiting:
                ends[client.kind, await client.run()] += 1

        killer = asyncio.create_task(self.kill_again_and_again()) if kills else None
        await asyncio.gather(*(keep_asking() for _ in range(CLIENTS)))
        if killer:
            killer.cancel()
        return ends

    async def kill_again_and_again(self):
        for _ in range(KILLS):
            await asyncio.sleep(KILL_EVERY_S)
            ranks = cluster.ranks_of(self.folder, self.victims.choice(GROUPS))
            if ranks:
                os.kill(self.victims.choice(ranks), signal.SIGKILL)

    def check_ends(self, ends, counted):
        by_end = collections.Counter()
        for (kind, end), n in ends.items():
            by_end[end] += n
            self.assertFalse(end.startswith(("odd", "cut off", "nothing", "no connection")), f"{kind}: {end}")
            self.assertEqual(kind == "nonsense", end.startswith("refused"), f"{kind}: {end}")
        self.assertEqual(sum(by_end.values()), N)
        self.assertGreater(by_end["finished"], N / 10, "the storm leaves something to be counted")
        failed = sum(n for end, n in by_end.items() if end.startswith("failed"))
        # Of those who left, the router may have finished or failed some before it knew, or never have read them.
        left = by_end["left"]
        self.assertLessEqual(by_end["finished"], counted["finished"])
        self.assertLessEqual(failed, counted["failed"])
        extra = sum(counted.values()) - by_end["finished"] - failed
        self.assertTrue(0 <= extra <= left, f"{counted} for {dict(by_end)}")

    def counted(self):
        metrics = self.ferry.get("/metrics")
        return {end: int(cluster.counter(metrics, "ferry_requests_total", f'{{end="{end}"}}'))
                for end in ("finished", "failed", "cancelled")}

    def wait_until_calm(self):
        def calm():
            metrics = self.ferry.get("/metrics")
            busy = [cluster.counter(metrics, "ferry_requests", f'{{state="{s}"}}') for s in ("waiting", "served", "aborting")]
            return set(cluster.pages(metrics)) == set(GROUPS) and cluster.all_free(metrics) and not any(busy)
        self.ferry.wait_for(calm, "all groups are there, all pages are free, nothing is served", within_s=120)

    def size_of_router(self):
        pid = next(p for p in alive(self.folder) if b"\0router\0" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes())
        end = time.monotonic() + 10  # connections that were left close
        while (n := len(os.listdir(f"/proc/{pid}/fd"))) > 40 and time.monotonic() < end:
            time.sleep(0.05)
        kib = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)
        return {"files": n, "MiB": int(kib) // 1024}


if __name__ == "__main__":
    main()
