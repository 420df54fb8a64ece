#!/usr/bin/env python3
"""A public load generator, locust, and our own, on one router: both must say the same of the same load. In front of a stub, it
is the stub's pace that decides what they have to say, not how busy this machine is.

   locust_test.py FERRY MODEL [unittest arguments]        exit code 77: skipped, with the reason
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = ROOT / "build" / "python"
sys.path.insert(0, str(ROOT / "tests" / "support"))
from program import FERRY, ProgramTest, main, skip  # noqa: E402
from stubbed import start_stubbed_router  # noqa: E402

if not (PACKAGES / "locust").exists():
    skip("no `locust` package; launch/setup/python fetches it")

USERS, REQUESTS, TOKENS = 4, 16, 15
PREFILL_MS, STEP_MS = 1000, 100
AGREE = 0.05


class Locust(ProgramTest):
    def locust(self, url):
        out = self.folder / "locust.json"
        environment = {**os.environ, "PYTHONPATH": str(PACKAGES), "FERRY_LOCUST_OUT": str(out),
                       "FERRY_LOCUST_REQUESTS": str(REQUESTS), "FERRY_LOCUST_TOKENS": str(TOKENS)}
        ran = subprocess.run([sys.executable, "-m", "locust", "-f", str(ROOT / "tests/serve/locustfile.py"), "--headless",
                              "--users", str(USERS), "--spawn-rate", "1000", "--host", url, "--only-summary"],
                             env=environment, cwd=self.folder, capture_output=True, text=True, timeout=180, check=False)
        self.assertTrue(out.exists(), ran.stdout + ran.stderr)
        told = json.loads(out.read_text())
        self.assertEqual((told["failures"], len(told["answers"])), (0, REQUESTS), ran.stdout + ran.stderr)
        answers = told["answers"]
        # While they wait for answers: what a generator does between two of them is not the server's.
        seconds = sum(a["e2e_ms"] for a in answers) / 1000 / USERS
        return {"ttft_ms": statistics.median(a["ttft_ms"] for a in answers),
                "e2e_ms": statistics.median(a["e2e_ms"] for a in answers),
                "tokens_per_s": sum(a["pieces"] for a in answers) / seconds}

    def ours(self, url):
        ran = subprocess.run([FERRY, "-q", "bench", "serve", "--url", url, "--json", "--requests", str(REQUESTS),
                              "--concurrency", str(USERS), "--max-tokens", str(TOKENS), "--prompt-tokens", "12"],
                             capture_output=True, text=True, timeout=180, check=True)
        line = json.loads(ran.stdout)
        self.assertEqual((line["answered"], line["errors"]), (REQUESTS, {}))
        return {"ttft_ms": line["ttft_ms"]["p50"], "e2e_ms": line["e2e_ms"]["p50"], "tokens_per_s": line["tokens_per_s"]}

    def test_both_load_generators_say_the_same(self):
        url = start_stubbed_router(self, STEP_MS, PREFILL_MS).url
        self.ours(url)  # warms up
        for _ in range(3):
            before, theirs, after = self.ours(url), self.locust(url), self.ours(url)
            print(f"ours {before}\nlocust {theirs}\nours {after}", flush=True)
            if all(abs(after[what] / before[what] - 1) < AGREE / 2 for what in before):
                return self.compare(before, theirs)
        self.skipTest("this machine is too busy: our own bench does not agree with itself")

    def compare(self, ours, theirs):
        self.assertGreaterEqual(theirs["ttft_ms"], PREFILL_MS, "that is the stub's pace, and not ours")
        for what, mine in ours.items():
            self.assertAlmostEqual(theirs[what] / mine, 1, delta=AGREE, msg=what)


if __name__ == "__main__":
    main()
