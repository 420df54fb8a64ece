#!/usr/bin/env python3
"""`ferry drain`: a group is taken out of a running cluster, and nobody who uses it notices.

   drain_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import threading
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support")]
from cluster import pages  # noqa: E402
from deployment import Deployment  # noqa: E402
from program import FERRY, ProgramTest, main  # noqa: E402

GOLDEN = [json.loads(line) for line in (ROOT / "tests/data/golden-smollm2-135m-q4_1.jsonl").read_text().splitlines()]
TWO_DECODE = """  - {name: prefill-0, role: prefill}
  - {name: decode-0, role: decode}
  - {name: decode-1, role: decode}
"""


class Drain(ProgramTest):
    def setUp(self):
        super().setUp()
        self.ferry = Deployment(self, "deadline_ms: 300000\n", TWO_DECODE,
                                paths=("prefill-0 → decode-0", "prefill-0 → decode-1"))

    def drain(self, *words):
        return subprocess.run([FERRY, "drain", "--router", self.ferry.url, *words], capture_output=True, text=True,
                              check=False, timeout=120)

    def state(self, group):
        found = [line for line in self.ferry.get("/metrics").splitlines() if f'group_state{{group="{group}"' in line]
        self.assertEqual(len(found), 1, found)
        return found[0].split('state="')[1].split('"')[0]

    def stream(self, case, begun=lambda: None, **more):
        """Text and decode group of a golden case; `begun` is called when its first token is there."""
        chat = case["kind"] == "chat"
        body = {"max_tokens": case["max_tokens"], "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
        body |= {"messages": case["messages"]} if chat else {"prompt": case.get("prompt") or case["prompt_ids"]}
        request = urllib.request.Request(self.ferry.url + ("/v1/chat/completions" if chat else "/v1/completions"),
                                         json.dumps(body | more).encode(), {"Content-Type": "application/json"})
        text = ""
        with urllib.request.urlopen(request, timeout=300) as answer:
            for line in answer:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                if not event["choices"]:
                    return text, event["usage"]["route"]["decode"]
                choice = event["choices"][0]
                text += (choice["delta"].get("content") or "") if chat else choice["text"]
                begun()
        raise AssertionError("a stream without usage")

    def test_streams_go_on_exactly_and_new_ones_go_elsewhere_until_it_is_undone(self):
        cases = [c for c in GOLDEN if not c["near_tie"]][:8]
        begun = [threading.Event() for _ in range(4)]
        with concurrent.futures.ThreadPoolExecutor(2 * len(cases)) as pool:
            early = [pool.submit(self.stream, cases[0], event.set, max_tokens=400, ignore_eos=True) for event in begun]
            for event in begun:
                self.assertTrue(event.wait(120))
            drained = self.drain("decode-0")
            self.assertRegex(drained.stdout, r"^decode-0: draining, \d requests? (is|are) there\n$", drained.stderr)
            waiting = pool.submit(self.drain, "decode-0", "--wait")
            late = [pool.submit(self.stream, case) for case in cases]
            got_early, got_late = ([one.result() for one in some] for some in (early, late))
        self.assertEqual({group for _, group in got_early}, {"decode-0", "decode-1"})
        self.assertEqual(len({text for text, _ in got_early}), 1, "whichever group it was, drained or not")
        for case, (text, group) in zip(cases, got_late):
            self.assertEqual((text, group), (case["text"], "decode-1"), case["id"])
        self.assertEqual(waiting.result().returncode, 0, waiting.result().stderr)
        self.assertEqual(waiting.result().stdout.splitlines()[-1], "decode-0: drained")
        self.assertEqual(self.state("decode-0"), "drained")
        n = pages(self.ferry.get("/metrics"))["decode-0"]
        self.assertEqual(n["free"], sum(n.values()))

        self.assertEqual(self.drain("decode-0", "--undo").stdout, "decode-0: ready\n")
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            self.assertIn("decode-0", {group for _, group in pool.map(self.stream, cases)})

    def test_where_the_last_one_is_drained_answers_say_so_at_once(self):
        for group in ("decode-0", "decode-1"):
            self.assertEqual(self.drain(group, "--wait").stdout, f"{group}: drained\n")
        status, answer = self.ferry.post("/v1/completions", {"prompt": "A", "max_tokens": 1})
        error = json.loads(answer)["error"]
        self.assertEqual((status, error["code"]), (503, "unavailable"))
        self.assertIn("all decode groups are drained: decode-0, decode-1", error["message"])
        self.assertEqual(self.drain("decode-1", "--undo").returncode, 0)
        self.assertEqual(self.ferry.post("/v1/completions", {"prompt": "A", "max_tokens": 1})[0], 200)

    def test_a_name_that_nobody_has_is_answered_with_those_that_there_are(self):
        unknown = self.drain("decode-7")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("No group 'decode-7' has joined; these have: ", unknown.stderr)
        for name in ("prefill-0", "decode-0", "decode-1"):
            self.assertIn(name, unknown.stderr)
        self.assertIn("is no name of a group", self.drain("de code").stderr)
        self.assertEqual(self.ferry.post("/admin/drain", {"group": "a\x1b[2J"})[0], 400)
        groups = json.loads(self.ferry.get("/admin/groups"))["groups"]
        self.assertEqual([g["state"] for g in groups], ["ready"] * 3)


if __name__ == "__main__":
    main()
