#!/usr/bin/env python3
"""A process of a cluster is killed, or stands still, exactly at a named step of the protocol: every request is answered
all the same, with the tokens that one process computes, and no page is lost.

   steps_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import pages  # noqa: E402
from program import FERRY, MODEL, ProgramTest, alive, main  # noqa: E402

# Where each process can be stopped: see Milestones::reach and FERRY_TEST_STOP.
STEPS = {
    "prefill-0:0": ("introduced", "connect", "prefill", "ship", "finish", "seal"),
    "prefill-0:1": ("open", "connecting", "ship", "finish", "landing"),
    "decode-0:0": ("introduced", "connect", "paired", "reserve", "reserved", "landed", "sealed", "attached", "token"),
    "decode-0:1": ("open", "connecting", "verify"),
}
ROUTER_STEPS = ("hello", "paired", "reserve", "prefill", "token", "abort")

CLUSTER = f"""model: {MODEL}
threads: 1
kv: {{memory: 16MiB}}
link: {{verify: all}}
scheduling: {{max_sequences: 4}}
deadline_ms: 20000
groups:
  - {{name: prefill-0, role: prefill, tp: 2}}
  - {{name: decode-0, role: decode, tp: 2}}
  - {{name: prefill-1, role: prefill}}
  - {{name: decode-1, role: decode}}
"""
TEXTS = ("The capital of France is", "Once upon a time", "1, 2, 3, 4, 5,", "The sea is wide and I cannot", "A ferry is", "Rivers " * 30)
# Enough for every group to get some, also those whose paths are made last.
PROMPTS = [{"id": str(i), "prompt": TEXTS[i % len(TEXTS)], "max_tokens": 10, "ignore_eos": True} for i in range(30)]
# A stop string ends an answer before the groups know: that is a cancel, and an abort.
PROMPTS.append({"id": "stop", "prompt": "1, 2, 3, 4, 5, 6, 7,", "max_tokens": 60, "stop": [" 11"]})


def stands_still(folder):
    for pid in alive(folder):
        try:
            if "State:\tT" in pathlib.Path(f"/proc/{pid}/status").read_text():
                return pid
        except OSError:
            continue
    return None


class Steps(ProgramTest):
    expected = None

    def setUp(self):
        super().setUp()
        if Steps.expected is None:
            ran, results = self.generate(PROMPTS)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            Steps.expected = [r["ids"] for r in results]

    def start_batch(self, stop_at):
        self.metrics = self.folder / "metrics.txt"
        return self.start([FERRY, "batch", self.write("cluster.yaml", CLUSTER), self.prompts(PROMPTS), "--json", "--metrics",
                           str(self.metrics)], env={**os.environ, "FERRY_TEST_STOP": stop_at})

    def expect_answers(self, batch):
        results = [json.loads(line) for line in batch.lines(within_s=60)]
        log = "".join(batch.log)
        self.assertEqual([r["error"] for r in results], [None] * len(PROMPTS), log)
        self.assertEqual([r["ids"] for r in results], self.expected, log)
        for r in results:
            self.assertEqual(r["route"]["attempts"], 1 + len(r["route"]["retries"]), r["route"])
        return results

    def test_a_process_that_is_killed_at_any_step_costs_no_request_and_no_page(self):
        for who, steps in STEPS.items():
            for step in steps:
                with self.subTest(f"{who} killed at {step}"):
                    batch = self.start_batch(f"{who}/{step}/1=KILL")
                    self.expect_answers(batch)
                    self.assertEqual(batch.end(), 3, "it never got there: " + "".join(batch.log))
                    self.assertIn(who.split(":")[0], "".join(batch.log))
                    for group, n in pages(self.metrics.read_text()).items():
                        self.assertEqual((group, n["free"]), (group, sum(n.values())), n)
                    self.expect_gone(self.folder)

    def test_a_process_that_stands_still_at_any_step_costs_no_request(self):
        for who, steps in STEPS.items():
            for step in steps:
                with self.subTest(f"{who} stopped at {step}"):
                    batch = self.start_batch(f"{who}/{step}/1=STOP")
                    end = time.monotonic() + 60
                    while not stands_still(self.folder):
                        self.assertLess(time.monotonic(), end, "it never got there: " + "".join(batch.log))
                        time.sleep(0.05)
                    self.expect_answers(batch)
                    self.assertIn(batch.end(), (0, 3))
                    for group, n in pages(self.metrics.read_text()).items():
                        if group != who.split(":")[0]:  # what stands still tells nothing new
                            self.assertEqual(n["leased"] + n["shared"], 0, (group, n))
                    self.expect_gone(self.folder)

    def test_a_router_that_is_killed_leaves_no_process(self):
        for step in ROUTER_STEPS:
            with self.subTest(step):
                batch = self.start_batch(f"router/{step}/1=KILL")
                self.assertEqual(batch.end(within_s=60), -signal.SIGKILL)
                self.expect_gone(self.folder)

    def test_a_router_that_stood_still_for_a_while_goes_on(self):
        for step in ("paired", "prefill", "token"):
            with self.subTest(step):
                batch = self.start_batch(f"router/{step}/1=STOP")
                while not stands_still(self.folder):
                    time.sleep(0.05)
                time.sleep(1)  # longer than any group's patience would be a lost router: see tests/lanes
                batch.process.send_signal(signal.SIGCONT)
                self.expect_answers(batch)
                self.assertEqual(batch.end(), 0)
                self.expect_gone(self.folder)


if __name__ == "__main__":
    main()
