#!/usr/bin/env python3
"""What operators see of a service at work: snapshots, `ferry top` and `ferry explain`, traces, logs, metrics.

   seeing_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "build" / "python")]
from cluster import free_port  # noqa: E402
from deployment import Deployment  # noqa: E402
from program import FERRY, ProgramTest, main  # noqa: E402

try:
    from prometheus_client.parser import text_string_to_metric_families as prometheus_families
except ImportError:
    prometheus_families = None

JSON = {"Content-Type": "application/json"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def ferry(*words, **more):
    return subprocess.run([FERRY, *words], capture_output=True, text=True, timeout=60, check=False, **more)


def families(text):
    """Name → (type, help, [(sample name, labels, value)]), and complaints, by Prometheus' rules for its text format."""
    found, complaints, name = {}, [], None
    sample = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            if name in found:
                complaints.append(f"{name} is there twice")
            found[name] = [None, words, []]
        elif line.startswith("# TYPE "):
            typed, kind = line[7:].split(" ")
            if typed != name or found[name][2] or kind not in ("counter", "gauge", "histogram"):
                complaints.append(line)
            found[name][0] = kind
        elif not (match := sample.match(line)) or name is None:
            complaints.append(f"no sample: {line}")
        else:
            float(match[3])
            suffix = match[1].removeprefix(name)
            if suffix not in (("_bucket", "_sum", "_count") if found[name][0] == "histogram" else ("",)):
                complaints.append(f"{match[1]} is not of {name}")
            found[name][2].append((match[1], match[2] or "", float(match[3])))
    return found, complaints


class Seeing(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.holder = ProgramTest()
        cls.holder.setUp()
        cls.spans = cls.holder.folder / "spans.jsonl"
        cls.ferry = Deployment(cls.holder, "deadline_ms: 300000\n", router=f"spans: {cls.spans}")

    @classmethod
    def tearDownClass(cls):
        cls.holder.doCleanups()

    def answer(self, max_tokens=4, headers=None):
        """The headers of an answer, and its body."""
        body = json.dumps({"prompt": "A ferry is", "max_tokens": max_tokens, "temperature": 0}).encode()
        request = urllib.request.Request(self.ferry.url + "/v1/completions", body, {**JSON, **(headers or {})})
        with urllib.request.urlopen(request, timeout=60) as got:
            return got.headers, json.load(got)

    def snapshot(self):
        return json.loads(self.ferry.get("/debug/cluster"))

    def test_a_snapshot_says_what_groups_paths_and_requests_do(self):
        body = json.dumps({"prompt": "Once", "max_tokens": 1000, "stream": True, "ignore_eos": True}).encode()
        stream = urllib.request.urlopen(urllib.request.Request(self.ferry.url + "/v1/completions", body, JSON), timeout=60)
        stream.readline()
        request = next(r for r in self.snapshot()["in_flight"] if r["stage"] == "decoding")
        self.assertGreaterEqual(request["tokens"], 1)
        self.assertEqual(request["decode"], "decode-0")
        self.assertEqual(json.loads(self.ferry.get("/debug/requests/" + request["id"]))["end"], "running")
        self.ferry.wait_for(lambda: any(g["pages"]["leased"] + g["pages"]["shared"] for g in self.snapshot()["groups"]
                                        if g["role"] == "decode"), "decode has leased pages")
        stream.close()
        self.ferry.wait_for(lambda: not self.snapshot()["in_flight"], "nothing is in flight")
        seen = self.snapshot()
        self.assertEqual({g["name"]: (g["role"], g["tp"], g["state"], g["host"]) for g in seen["groups"]},
                         {"prefill-0": ("prefill", 1, "ready", "localhost"), "prefill-1": ("prefill", 1, "ready", "localhost"),
                          "decode-0": ("decode", 2, "ready", "localhost")})
        for group in seen["groups"]:
            pages = group["pages"]
            self.assertEqual(pages["total"], sum(n for state, n in pages.items() if state != "total"))
        self.assertEqual({(p["prefill"], p["decode"], p["state"]) for p in seen["paths"]},
                         {("prefill-0", "decode-0", "ready"), ("prefill-1", "decode-0", "ready")})
        self.assertGreater(seen["paths"][0]["gb_per_s"], 0)
        self.assertGreater(seen["latency"]["ttft"]["p50_ms"], 0)
        self.assertEqual(sum(seen["latency"]["ttft"]["bins"]["counts"]), seen["latency"]["ttft"]["n"])
        self.assertEqual(len(seen["history"]["tokens"]), seen["history"]["seconds"])
        self.assertEqual(seen["latest"][0]["end"], "cancelled")
        self.assertEqual(seen["latest"][0]["route"]["decode"], "decode-0")

    def test_top_prints_the_same_for_people_and_for_programs(self):
        self.answer()
        look = ferry("top", "--router", self.ferry.url, "--once")
        self.assertEqual(look.returncode, 0, look.stderr)
        for text in ("prefill-0 → decode-0", "decode-0", "first token", "free"):
            self.assertIn(text, look.stdout)
        self.assertNotIn("\x1b", look.stdout)
        exact = ferry("top", "--router", self.ferry.url, "--once", "--json")
        self.assertEqual(len(json.loads(exact.stdout)["groups"]), 3)

    def test_top_lives_in_a_terminal_of_any_width_and_leaves_it_as_it_was(self):
        for columns, end in ((132, signal.SIGINT), (50, "q")):
            main_end, terminal = pty.openpty()
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
            before = termios.tcgetattr(terminal)
            process = subprocess.Popen([FERRY, "top", "--router", self.ferry.url, "--interval", "0.1"], stdin=terminal,
                                       stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "xterm"})
            seen = b""
            until = time.monotonic() + 60
            while seen.count(b"LATENCY") < 3 and time.monotonic() < until:
                if select.select([main_end], [], [], 1)[0]:
                    seen += os.read(main_end, 65536)
            process.send_signal(end) if end != "q" else os.write(main_end, b"q")
            self.assertEqual(process.wait(30), 0)
            while select.select([main_end], [], [], 0.2)[0]:
                seen += os.read(main_end, 65536)
            self.assertEqual(termios.tcgetattr(terminal), before)
            os.close(main_end)
            os.close(terminal)
            text = seen.decode()
            self.assertTrue(text.startswith("\x1b[?1049h\x1b[?25l"), text[:40])
            self.assertTrue(text.endswith("\x1b[?25h\x1b[?1049l"), text[-40:])
            self.assertIn("\x1b[1mFerry\x1b[0m", text)
            frames = text.split("\x1b[H")[1:]
            for line in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", frames[0]).splitlines():
                self.assertLessEqual(len(line), columns)

    def test_explain_shows_where_the_time_of_a_request_went(self):
        headers, _ = self.answer(20)
        told = ferry("explain", headers["x-request-id"], "--router", self.ferry.url)
        self.assertEqual(told.returncode, 0, told.stderr)
        for part in ("queue", "reserve", "prefill", "exposed transfer", "verify", "attach", "decode", "finished", "█"):
            self.assertIn(part, told.stdout)
        record = json.loads(ferry("explain", headers["x-request-id"], "--router", self.ferry.url, "--json").stdout)
        self.assertAlmostEqual(sum(p["ms"] for p in record["timeline"]), record["total_ms"], delta=0.1)

    def test_what_cannot_be_told_says_what_to_do(self):
        unknown = ferry("explain", "req-none", "--router", self.ferry.url)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn('does not know the request "req-none"', unknown.stderr)
        self.assertIn("x-request-id", unknown.stderr)
        nowhere = f"http://127.0.0.1:{free_port()}"
        for words in (("top", "--once"), ("explain", "req-none")):
            gone = ferry(*words, "--router", nowhere)
            self.assertEqual(gone.returncode, 1)
            self.assertIn(f"no router answers at {nowhere}: Connection refused", gone.stderr)
            self.assertIn("--router", gone.stderr)
        self.assertIn("is no address of a router", ferry("top", "--router", "ftp://a").stderr)

    def test_a_trace_goes_through_headers_record_log_and_spans(self):
        headers, _ = self.answer(headers={"traceparent": PARENT, "tracestate": "congo=t61rcWkgMzE"})
        version, trace, span, flags = headers["traceparent"].split("-")
        self.assertEqual((version, trace, flags), ("00", PARENT.split("-")[1], "01"))
        self.assertNotEqual(span, PARENT.split("-")[2])
        self.assertEqual(headers["tracestate"], "congo=t61rcWkgMzE")
        request = headers["x-request-id"]
        self.assertEqual(json.loads(self.ferry.get("/debug/requests/" + request))["trace"], headers["traceparent"])
        self.ferry.wait_for(lambda: any(f"id={request} trace={trace}" in line for line in self.ferry.command.log), "a line in the log")
        lines = [json.loads(line) for line in self.spans.read_text().splitlines()]
        spans = next(s for s in (l["resourceSpans"][0]["scopeSpans"][0]["spans"] for l in lines) if s[0]["spanId"] == span)
        self.assertEqual((spans[0]["traceId"], spans[0]["parentSpanId"]), (trace, PARENT.split("-")[2]))
        self.assertIn("prefill", [s["name"] for s in spans])
        for child in spans[1:]:
            self.assertEqual(child["parentSpanId"], span)
            self.assertLessEqual(int(spans[0]["startTimeUnixNano"]), int(child["startTimeUnixNano"]))
            self.assertGreaterEqual(int(spans[0]["endTimeUnixNano"]) + 1000, int(child["endTimeUnixNano"]))
        headers, _ = self.answer(headers={"traceparent": PARENT.replace("0af7", "XXXX")})
        self.assertNotIn("XXXX", headers["traceparent"])

    def test_metrics_follow_prometheus_rules_and_each_has_its_help(self):
        self.answer()
        found, complaints = families(self.ferry.get("/metrics"))
        self.assertEqual(complaints, [])
        if prometheus_families:  # as its own library reads it
            self.assertEqual(sum(len(f.samples) for f in prometheus_families(self.ferry.get("/metrics"))) > 0, True)
        for name, (kind, words, samples) in found.items():
            self.assertTrue(words and kind, name)
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertEqual(len({(s, l) for s, l, _ in samples}), len(samples), name)
            if kind == "histogram":
                buckets = [value for sample, _, value in samples if sample.endswith("_bucket")]
                self.assertEqual(buckets, sorted(buckets), name)
                self.assertEqual(buckets[-1], next(v for s, _, v in samples if s.endswith("_count")), name)
        self.assertGreater(found["ferry_transfer_bytes_total"][2][0][2], 0)

    def test_every_query_of_the_dashboard_names_metrics_and_labels_that_are_there(self):
        self.answer()
        found, _ = families(self.ferry.get("/metrics"))
        labels = {}
        for name, (_, _, samples) in found.items():
            for sample, text, _ in samples:
                labels.setdefault(sample, set()).update(re.findall(r'(\w+)="', text))
        board = json.loads((ROOT / "launch/observe/grafana.json").read_text())
        queries = [t["expr"] for p in board["panels"] for t in p.get("targets", [])]
        self.assertGreater(len(queries), 10)
        for query in queries:
            named = re.findall(r"ferry_\w+", query)
            self.assertTrue(named, query)
            for name in named:
                self.assertIn(name, labels, query)
            used = {l for group in re.findall(r"by \(([^)]*)\)", query) for l in re.split(r",\s*", group)}
            used |= set(re.findall(r'(\w+)(?:=~?|!=)"', query))
            self.assertLessEqual(used, set().union(*(labels[n] for n in named)), query)
        used = {name for query in queries for name in re.findall(r"ferry_\w+", query)}
        for name in ("ferry_time_to_first_token_seconds_bucket", "ferry_pages", "ferry_retries_total"):
            self.assertIn(name, used)


class JsonLog(ProgramTest):
    def test_every_line_of_a_deployment_is_json_and_says_whose_it_is(self):
        ferry = Deployment(self, words=("--log", "json"))
        ferry.post("/v1/completions", {"prompt": "A ferry", "max_tokens": 2})
        request = json.loads(ferry.get("/debug/requests"))[0]["id"]
        ferry.wait_for(lambda: any(request in line for line in ferry.command.log), "the request's line")
        ferry.stop()
        lines = [json.loads(line) for line in ferry.command.log]
        self.assertLessEqual({"router", "decode-0"}, {line.get("process") for line in lines})
        over = next(line for line in lines if line.get("id") == request)
        self.assertEqual((over["message"], over["end"], over["tokens"]), ("request over", "finished", 2))


if __name__ == "__main__":
    main()
