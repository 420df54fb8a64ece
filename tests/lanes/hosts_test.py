#!/usr/bin/env python3
"""Clusters over several hosts that share nothing but a network, and what happens when that or a host is lost.

   hosts_test.py FERRY MODEL [unittest arguments]        exit code 77: skipped, with the reason
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from golden import compare  # noqa: E402
from support import hosts, program  # noqa: E402
from support.program import FERRY, MODEL  # noqa: E402

GOLDEN = {case["id"]: case for case in compare.lines(TESTS / "data" / "golden-smollm2-135m-q4_1.jsonl")}
SHORT = [GOLDEN["raw-capital"], GOLDEN["chat-yes"], GOLDEN["ids-17"]]
LONG = [GOLDEN["chat-500"]]

WINDOW = 4  # requests that are given out together
CLUSTER = f"""model: {MODEL}
threads: 1
kv: {{memory: 64MiB}}
scheduling: {{max_sequences: {WINDOW}}}
router: {{control: 'head:8001', join_token: join.token}}
"""
ONE_PAIR = """groups:
  - {name: prefill-0, role: prefill, tp: 2, hosts: [nodeA, nodeB]}
  - {name: decode-0, role: decode, hosts: [nodeC]}
"""
TWO_DECODE = """groups:
  - {name: prefill-0, role: prefill, tp: 2}
  - {name: decode-0, role: decode}
  - {name: decode-1, role: decode}
"""
HOME = {"prefill-0": "nodeA", "decode-0": "nodeB", "decode-1": "nodeC"}

# A dead peer is to be noticed within two seconds. That is printed; what is asserted leaves room for a machine that does
# other things, too.
NOTICED_WITHIN_S = 10
ANSWERED_WITHIN_S = 90


class HostsTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        pathlib.Path(self.write("join.token", "shared-by-these-hosts\n")).chmod(0o600)
        self.hosts = hosts.Hosts(3, self.folder / "hosts")
        self.addCleanup(self.hosts.close)

    def start_batch(self, cluster, prompts):
        return self.start(self.hosts.on("head", FERRY, "batch", cluster, self.prompts(prompts), "--json"))

    def start_router(self, cluster, prompts):
        return self.start(self.hosts.on("head", FERRY, "router", cluster, "--prompts", self.prompts(prompts), "--json"))

    def start_worker(self, cluster, group, *through):
        """A group on its host; `through`: words before its own, a command that runs it."""
        ranks = ["mpirun", "-n", "2", "--mca", "mpi_yield_when_idle", "1"] if group == "prefill-0" else []
        return self.start(self.hosts.on(HOME[group], *ranks, *through, FERRY, "worker", cluster, "--group", group))

    def rest_of(self, command, code):
        """Its results from here on, to its end."""
        results = [json.loads(line) for line in command.lines(ANSWERED_WITHIN_S)]
        self.assertEqual(command.end(), code, "".join(command.log))
        return results

    def expect_golden(self, cases, results):
        self.assertEqual([r["id"] for r in results], [c["id"] for c in cases])
        self.assertEqual([d for c, r in zip(cases, results) for d in compare.differences(c, r, 0.02)], [])
        self.assertEqual({r["kv"]["transport"] for r in results}, {"tcp"}, "hosts share no memory")


class WholeClusters(HostsTest):
    def test_one_mpi_job_over_all_hosts_gives_the_golden_tokens(self):
        cluster, prompts = self.write("cluster.yaml", CLUSTER + ONE_PAIR), self.prompts(map(compare.prompt_of, SHORT))
        # The router and the first prefill rank on nodeA, the second one on nodeB.
        job = ["mpirun", "-n", "4", "-H", "nodeA:2,nodeB,nodeC", "--mca", "mpi_yield_when_idle", "1"]
        command = self.start(self.hosts.on("head", *job, FERRY, "cluster", cluster, "--prompts", prompts, "--json"))
        self.expect_golden(SHORT, self.rest_of(command, 0))

    def test_a_batch_starts_its_groups_on_their_hosts(self):
        command = self.start_batch(self.write("cluster.yaml", CLUSTER + ONE_PAIR), map(compare.prompt_of, SHORT))
        self.expect_golden(SHORT, self.rest_of(command, 0))

    def test_a_slow_network_makes_it_slow_and_nothing_else(self):
        self.hosts.do("rate", "all", "30mbit")  # 19 MB of KV take five seconds
        command = self.start_batch(self.write("cluster.yaml", CLUSTER + ONE_PAIR), map(compare.prompt_of, LONG))
        results = self.rest_of(command, 0)
        self.expect_golden(LONG, results)
        self.assertEqual(results[0]["route"]["attempts"], 1)

    def test_clocks_that_are_minutes_off_change_nothing(self):
        if not shutil.which("faketime"):
            self.skipTest("faketime is missing; launch/setup/packages lanes")
        # Time since boot ten minutes ahead, the time of day seven minutes behind.
        off = ["unshare", "--time", "--monotonic", "600", "--boottime", "600", "--fork", "--kill-child",
               "env", "DONT_FAKE_MONOTONIC=1", "faketime", "-f", "-7m"]
        date = subprocess.run(self.hosts.on("nodeB", *off, "date", "+%s"), capture_output=True, check=True).stdout
        self.assertLess(int(date), time.time() - 400)
        cluster = self.write("cluster.yaml", CLUSTER + TWO_DECODE + "deadline_ms: 60000\n")
        router = self.start_router(cluster, map(compare.prompt_of, SHORT))
        self.start_worker(cluster, "prefill-0")
        self.start_worker(cluster, "decode-0", *off)
        results = self.rest_of(router, 0)
        self.expect_golden(SHORT, results)
        for bill in (r["ms"] for r in results):
            self.assertTrue(all(0 <= ms <= bill["total"] for ms in bill.values()), bill)


class Losses(HostsTest):
    """A host or its network is lost while requests run, and comes back. No request is: another group goes on with it."""

    LINES = [{"id": str(i), "prompt": f"Once upon a time there were {2 + i % 5}", "max_tokens": 24, "ignore_eos": True}
             for i in range(1000)]  # more than are ever answered: a test ends when it has seen what it waits for
    expected = []  # of the first five, as one process answers them

    def setUp(self):
        super().setUp()
        if not self.expected:
            Losses.expected = [r["ids"] for r in self.generate(self.LINES[:5])[1]]
        self.cluster = self.write("cluster.yaml", CLUSTER + TWO_DECODE)
        self.router = self.start_router(self.cluster, self.LINES)
        for group in HOME:
            self.start_worker(self.cluster, group)
        for _ in ("decode-0", "decode-1"):
            self.router.wait_for_log("is ready over tcp")
        self.n_results = 0

    def read_until(self, wanted):
        """Takes results, in order and each of them right, up to one that is as wanted."""
        end = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < end:
            result = json.loads(self.router.line(ANSWERED_WITHIN_S) or self.fail("the router ended"))
            self.assertEqual(result["id"], self.LINES[self.n_results]["id"])
            self.assertIsNone(result["error"])
            self.assertEqual(result["ids"], self.expected[self.n_results % len(self.expected)])
            self.n_results += 1
            if wanted(result):
                return
        self.fail(f"{self.n_results} results, the last {result}\n{''.join(self.router.log)}")

    def lose(self, group, fault, *words):
        self.read_until(lambda r: r["route"]["decode"] == "decode-0")
        began = time.monotonic()
        self.hosts.do(fault, HOME[group], *words)
        self.router.wait_for_log("is lost", NOTICED_WITHIN_S)
        print(f"noticed after {time.monotonic() - began:.2f} s ... ", end="", file=sys.stderr, flush=True)
        self.read_until(lambda r: r["route"]["retries"])  # it did have work

    def expect_back(self, role, group):
        self.router.wait_for_log("is ready over tcp")
        first_new = self.n_results + 2 * WINDOW  # up to there they may have been given out before
        self.read_until(lambda r: self.n_results > first_new and r["route"][role] == group)

    def boot(self, group):
        self.hosts.do("start", HOME[group])
        self.start_worker(self.cluster, group)

    def test_a_decode_host_crashes_and_boots_again(self):
        self.lose("decode-0", "kill")
        self.boot("decode-0")
        self.expect_back("decode", "decode-0")

    def test_a_prefill_host_crashes_and_boots_again(self):
        self.lose("prefill-0", "kill")
        self.boot("prefill-0")
        self.expect_back("prefill", "prefill-0")

    def test_the_cable_of_a_decode_host_is_pulled_and_plugged_in_again(self):
        self.lose("decode-0", "link", "down")
        self.hosts.do("link", HOME["decode-0"], "up")
        self.expect_back("decode", "decode-0")

    def test_a_silent_partition_of_a_decode_host_heals(self):
        self.lose("decode-0", "cut")
        self.hosts.do("heal", HOME["decode-0"])
        self.expect_back("decode", "decode-0")

    def test_a_silent_partition_of_a_prefill_host_heals(self):
        self.lose("prefill-0", "cut")
        self.hosts.do("heal", HOME["prefill-0"])
        self.expect_back("prefill", "prefill-0")


class LossesForGood(HostsTest):
    """What a batch has started is lost, and does not come back."""

    LINES = [{"id": str(i), "prompt": "The sea", "max_tokens": 60, "ignore_eos": True} for i in range(30)]

    def lose(self, fault, node, group):
        expected = self.generate(self.LINES[:1])[1][0]["ids"]
        cluster = self.write("cluster.yaml", CLUSTER + ONE_PAIR)
        command = self.start_batch(cluster, self.LINES)
        results = [json.loads(command.line())]
        began = time.monotonic()
        self.hosts.do(fault, node)
        results += self.rest_of(command, 3)
        print(f"over {time.monotonic() - began:.2f} s later ... ", end="", file=sys.stderr, flush=True)
        self.assertEqual([r["id"] for r in results], [line["id"] for line in self.LINES])
        for result in results:
            if result["error"]:
                self.assertIn(group, result["error"])
            else:
                self.assertEqual(result["ids"], expected)
        self.expect_gone(cluster, 30)  # on the far side of a partition, too
        return results

    def test_a_batch_whose_decode_host_crashes_says_so_for_every_prompt_that_is_left(self):
        self.assertTrue(self.lose("kill", "nodeC", "decode-0")[-1]["error"])

    def test_a_batch_whose_decode_host_is_cut_off_says_so_and_leaves_nothing_on_the_far_side(self):
        self.assertTrue(self.lose("cut", "nodeC", "decode-0")[-1]["error"])

    def test_a_batch_whose_prefill_group_is_cut_in_two_finishes_what_was_begun_and_says_so_for_the_rest(self):
        self.assertTrue(self.lose("cut", "nodeB", "prefill-0")[-1]["error"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ferry-hosts-") as probe:
        reason = hosts.missing(pathlib.Path(probe) / "hosts")
    if reason:
        program.skip(reason)
    program.main()
