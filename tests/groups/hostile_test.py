#!/usr/bin/env python3
"""Whoever does not mean well, or is broken, knocks at every port of a running cluster: what is underway stays exact, what
came is refused and counted, and no page is lost.

   hostile_test.py FERRY MODEL [unittest arguments]       exit code 77: skipped, with the reason

FERRY_INTRUDER names the program control_intruder (tests/transport/control/intruder.cc); by default the one beside FERRY.
"""
import json
import os
import pathlib
import random
import re
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster  # noqa: E402
from cluster import free_port  # noqa: E402
from program import FERRY, MODEL, ProgramTest, main  # noqa: E402

INTRUDER = os.environ.get("FERRY_INTRUDER", str(pathlib.Path(FERRY).parent / "control_intruder"))

TEXTS = ("The capital of France is", "Once upon a time", "1, 2, 3, 4, 5,", "The sea is wide and I cannot", "A ferry is", "Rivers " * 20)
PROMPTS = [{"id": str(i), "prompt": TEXTS[i % len(TEXTS)], "max_tokens": 12, "ignore_eos": True} for i in range(len(TEXTS))]
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def listeners(pid):
    """Addresses at which a process listens over TCP."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        found = re.match(r"socket:\[(\d+)\]", os.readlink(fd))
        inodes |= {found.group(1)} if found else set()
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [row[1].split(":") for row in rows if row[3] == "0A" and row[9] in inodes]
    return [(socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)) for host, port in found]


def knock(address, data):
    with socket.create_connection(address, timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(0.05)
            return connection.recv(4096)
        except OSError:  # hung up, or nothing to say
            return b""


def garbage(rng):
    """What a port scanner, a browser, a broken peer says."""
    yield b"GET / HTTP/1.1\r\nHost: ferry\r\n\r\n"
    yield HTTP2
    yield HTTP2 + b"\x00\xff\xff\xff\x04" + bytes(60)  # a frame that never gets as long as it says
    yield HTTP2 + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 400
    yield b"\xff" * 64
    yield bytes(4096)
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # TLS
    for n in (1, 7, 8, 100, 5000, 70000):
        yield rng.randbytes(n)


class Hostile(ProgramTest):
    expected = None

    def setUp(self):
        super().setUp()
        if Hostile.expected is None:
            ran, results = self.generate(PROMPTS)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            Hostile.expected = [r["ids"] for r in results]
        self.port = free_port()
        self.n_sent = self.n_answers = 0

    def start_cluster(self, more=""):
        self.cluster = self.write("cluster.yaml", f"model: {MODEL}\nthreads: 1\nkv: {{memory: 16MiB}}\n{more}"
                                  "scheduling: {max_sequences: 4}\ndeadline_ms: 60000\n"
                                  f"router: {{control: '127.0.0.1:{self.port}'}}\n"
                                  "groups:\n  - {name: prefill-0, role: prefill}\n  - {name: decode-0, role: decode}\n")
        self.metrics = self.folder / "metrics.txt"
        self.router = self.start([FERRY, "router", self.cluster, "--prompts", "-", "--json", "--metrics", str(self.metrics)],
                                 stdin=-1)
        self.workers = {name: self.start_worker(name) for name in ("prefill-0", "decode-0")}
        self.router.wait_for_log("is ready over")

    def start_worker(self, name):
        return self.start([FERRY, "worker", self.cluster, "--group", name])

    def start_intruder(self, what):
        return self.start([INTRUDER, f"127.0.0.1:{self.port}", MODEL, what])

    def send_prompts(self, rounds=2):
        for prompt in PROMPTS * rounds:
            self.router.process.stdin.write(json.dumps({**prompt, "id": str(self.n_sent)}) + "\n")
            self.n_sent += 1
        self.router.process.stdin.flush()

    def expect_answers(self):
        """Everything that was asked is answered, with the tokens of one process."""
        log = lambda: "".join(self.router.log)  # noqa: E731
        while self.n_answers < self.n_sent:
            result = json.loads(self.router.line() or self.fail(log()))
            self.assertIsNone(result["error"], log())
            self.assertEqual(result["ids"], self.expected[self.n_answers % len(PROMPTS)], result)
            self.n_answers += 1

    def finish(self):
        """Ends the cluster; its metrics, in which every page is free."""
        self.expect_answers()
        self.router.process.stdin.close()
        self.assertEqual(self.router.end(), 0, "".join(self.router.log))
        text = self.metrics.read_text()
        self.assertEqual(set(cluster.pages(text)), set(self.workers))
        self.assertTrue(cluster.all_free(text), cluster.pages(text))
        for worker in self.workers.values():
            self.assertIsNone(worker.process.poll(), "".join(worker.log))
        return text

    def counted(self, text, name, labels):
        return int(re.search(rf"^ferry_{name}\{{{labels}\}} (\d+)$", text, re.M).group(1))

    def not_allowed(self, text):
        return self.counted(text, "router_messages_refused_total", 'why="not_allowed"')

    def test_a_second_group_of_one_name_is_refused_and_the_first_goes_on(self):
        self.start_cluster()
        first = self.workers["decode-0"]
        second = self.start_worker("decode-0")
        while second.process.poll() is None:
            self.send_prompts(1)
            self.expect_answers()
        self.assertEqual(second.end(), 1)
        self.assertIn("a group named decode-0 is here already", "".join(second.log))
        self.send_prompts()
        self.assertGreaterEqual(self.not_allowed(self.finish()), 1)
        self.assertIsNone(first.process.poll())

    def test_bytes_that_are_no_grpc_on_the_control_port_disturb_nobody(self):
        self.start_cluster()
        rng = random.Random(11)
        self.send_prompts()
        for data in garbage(rng):
            knock(("127.0.0.1", self.port), data)
        self.finish()

    def test_frames_that_hold_no_message_are_counted_and_end_their_stream(self):
        self.start_cluster()
        self.send_prompts()
        intruder = self.start_intruder("garbage")
        closed = list(intruder.lines())
        self.assertEqual(intruder.end(), 0)
        self.assertEqual(len(closed), 12)
        self.assertEqual(self.not_allowed(self.finish()), 12)

    def test_who_never_joined_has_no_say(self):
        self.start_cluster()
        self.send_prompts()
        self.assertEqual(self.start_intruder("stranger").end(), 0)
        self.assertGreaterEqual(self.not_allowed(self.finish()), 64 * 9)

    def test_who_cannot_be_a_group_of_this_cluster_is_told_why(self):
        self.start_cluster()
        self.send_prompts()
        impostor = self.start_intruder("impostor")
        why = list(impostor.lines())
        self.assertEqual(impostor.end(), 0)
        self.assertEqual(len(why), 7)
        for said, expected in zip(why, ("model_hash", "protocol version", "layers and heads", "layers and heads", "ranks",
                                        "layers and heads", "letters, digits")):
            self.assertIn(expected, said)
        self.assertEqual(self.not_allowed(self.finish()), 7)

    def test_a_group_without_the_memory_that_it_claims_gets_no_path(self):
        self.start_cluster()
        self.send_prompts()
        liar = self.start_intruder("liar")
        why = list(liar.lines())
        self.assertEqual(liar.end(), 0)
        for said in why:
            self.assertIn("has not the KV memory that it claims", said)
        self.send_prompts()
        self.finish()
        self.assertNotIn("intruder is ready", "".join(self.router.log))

    def test_a_group_that_lies_about_its_tickets_and_others_requests_harms_neither(self):
        self.start_cluster("link: {verify: all}\n")
        forger = self.start_intruder("forger")
        self.router.wait_for_log("prefill-0 → intruder is ready")
        while forger.process.poll() is None:
            self.send_prompts(1)
            self.expect_answers()
        self.assertEqual(forger.end(), 0, "".join(forger.log))
        self.assertGreaterEqual(len(list(forger.lines())), 2, "it was asked for pages")
        self.send_prompts()
        text = self.finish()
        self.assertEqual(self.counted(text, "messages_refused_total", 'group="prefill-0",why="hostile"'), 1, "a page that is none")
        self.assertGreater(self.not_allowed(text), 1, text)

    def test_a_group_that_claims_tickets_that_are_not_its_own_harms_nobody(self):
        self.start_cluster("link: {verify: all}\n")
        usurper = self.start_intruder("usurper")
        self.router.wait_for_log("intruder → decode-0 is ready")
        while usurper.process.poll() is None:
            self.send_prompts(1)
            self.expect_answers()
        self.assertEqual(usurper.end(), 0, "".join(usurper.log))
        self.assertGreaterEqual(len(list(usurper.lines())), 3)
        self.send_prompts()
        text = self.finish()
        # Of each of its attempts: two under another key, two under another number, Void, PairHello, no message at all.
        self.assertGreaterEqual(self.counted(text, "messages_refused_total", 'group="decode-0",why="hostile"'), 3 * 6, text)

    def test_bytes_that_are_no_ucx_on_the_ports_of_the_ranks_disturb_nobody(self):
        self.start_cluster("link: {transport: tcp, verify: all}\n")
        addresses = [a for worker in self.workers.values() for a in listeners(worker.process.pid)]
        self.assertGreaterEqual(len(addresses), 2, "each rank listens for its peers")
        self.send_prompts()
        rng = random.Random(13)
        for data in garbage(rng):
            for address in addresses:
                knock(address, data)
        self.send_prompts(1)
        self.finish()


if __name__ == "__main__":
    if len(sys.argv) > 2 and not os.path.exists(INTRUDER):
        raise SystemExit(f"{INTRUDER} is missing: build control_intruder")
    main()
