#!/usr/bin/env python3
"""KV over RDMA: real verbs on two Soft-RoCE devices, on a machine with none in a virtual one.

   rdma_test.py FERRY MODEL [unittest arguments]        exit code 77: skipped, with the reason
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from golden import compare  # noqa: E402
from support import program  # noqa: E402
from support.program import FERRY, MODEL  # noqa: E402

VIRTUAL_MACHINE = str(TESTS / "lanes" / "run-in-rdma-vm")
EMULATED = os.environ.get("RDMA_CPU") == "tcg"  # a CPU that computes a few tokens in a second

GOLDEN = {case["id"]: case for case in compare.lines(TESTS / "data" / "golden-smollm2-135m-q4_1.jsonl")}
CASES = [GOLDEN[name] for name in (("raw-capital", "ids-15") if EMULATED else ("raw-capital", "ids-17", "chat-yes"))]
N_TOKENS = 3 if EMULATED else 64
MACHINE_PATIENCE_S = 840  # less than ctest's, so that the reason is told
PATIENCE_S = 2 * MACHINE_PATIENCE_S if EMULATED else 300  # if emulated, the machine's ends first: that is no failure
NO_MACHINE = 125  # as run-in-rdma-vm says that

ONE_SIDED = "*PutsNeedATargetThatPollsOverTcpOnly"
# On an emulated CPU what depends on the transport most; the whole contract takes it minutes.
CONTRACT = ":".join(f"*.{name}/rdma" for name in (
    ["APieceLandsInItsPlaceAndNothingElseChanges", "WhatWasFlushedIsThereWhenAMessageSaysSo",
     "MessagesOfEverySizeArriveWhole", "ClosingAChannelFencesItsPeersOffAndNobodyElse", "TransportIsWhatCarriesThePuts",
     "PiecesLandInTheOtherProcess", "APeerThatIsKilledUnderLoadIsBrokenAndHurtsNobody"] if EMULATED else ["*"]))
LEFT_OUT = [
    # UCX 1.13 aborts the process when a link goes, or a peer, while it introduces two sides to each other over RC.
    "*APeerThatIsKilledWhileItConnectsIsBroken*", "*TheAddressOfAClosedChannelIsBroken*",
    "*TheSizeOfAPeersMemoryStandsInItsAddress*",
    "*IsABug*",  # the same on every transport
    ONE_SIDED + "*",  # has a test of its own
]
ABORT_OF_UCX = "UCP_WIREUP_MSG_EP_REMOVED"
N_CONTRACT = 7 if EMULATED else 20  # at least so many have to pass

ENVIRONMENT = {
    # UCX posts thousands of receive buffers for each device that it opens; an emulated CPU takes seconds for them.
    "UCX_RC_VERBS_RX_QUEUE_LEN": "256", "UCX_UD_VERBS_RX_QUEUE_LEN": "256",
    # Ranks of one group meet in shared memory: the devices are for KV.
    "OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self,vader",
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}


def on(devices):
    """The environment of a process whose KV takes these."""
    return {**os.environ, **ENVIRONMENT, "UCX_NET_DEVICES": devices}


class Links(program.ProgramTest):
    def n_passed(self, pattern):
        """How many of these tests passed; none may fail."""
        programs = pathlib.Path(FERRY).parent
        ran = subprocess.run([programs / "transport_tests", "--gtest_filter=" + pattern], env=on("rxe0:1,lo"),
                             capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if EMULATED and ran.returncode == -signal.SIGABRT and ABORT_OF_UCX in ran.stderr:
            self.skipTest("UCX 1.13 aborts when a link closes in the middle of introductions, and here they take long")
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        return ran.stdout.count("[       OK ]")

    def test_what_a_link_promises_holds_over_rdma(self):
        self.assertGreaterEqual(self.n_passed(CONTRACT + "-" + ":".join(LEFT_OUT)), N_CONTRACT)

    def test_puts_are_one_sided_over_rdma_and_need_a_target_that_polls_over_tcp(self):
        self.assertEqual(self.n_passed(f"{ONE_SIDED}/rdma:{ONE_SIDED}/tcp"), 2)


class Clusters(program.ProgramTest):
    """Router and groups meet over loopback; the KV of each group takes a device of its own."""

    def start_cluster(self, transport, prefill_tp, decode_tp):
        """The router, which answers the cases; what it runs over goes with it."""
        cluster = self.write("cluster.yaml", f"""model: {MODEL}
threads: 1
kv: {{memory: 16MiB}}
link: {{require: rdma, transport: {transport}}}
deadline_ms: {1000 * PATIENCE_S}
groups:
  - {{name: prefill-0, role: prefill, tp: {prefill_tp}}}
  - {{name: decode-0, role: decode, tp: {decode_tp}}}
""")
        prompts = self.prompts({**compare.prompt_of(case), "max_tokens": N_TOKENS} for case in CASES)
        router = self.start([FERRY, "router", cluster, "--prompts", prompts, "--json"])
        devices = ("rxe0:1", "rxe1:1") if transport == "rdma" else ("lo", "lo")
        for group, tp, device in zip(("prefill-0", "decode-0"), (prefill_tp, decode_tp), devices):
            mpirun = ["mpirun", "-n", str(tp), "--oversubscribe", "--mca", "mpi_yield_when_idle", "1"] if tp > 1 else []
            self.start(mpirun + [FERRY, "worker", cluster, "--group", group], env=on(device))
        return router

    def results_of(self, router, code):
        results = [json.loads(line) for line in router.lines(PATIENCE_S)]
        self.assertEqual(router.end(PATIENCE_S), code, "".join(router.log))
        self.assertEqual([r["id"] for r in results], [case["id"] for case in CASES])
        return results

    def expect_golden(self, prefill_tp, decode_tp):
        for case, result in zip(CASES, self.results_of(self.start_cluster("rdma", prefill_tp, decode_tp), 0)):
            self.assertEqual(result["ids"], case["ids"][:N_TOKENS])
            self.assertEqual(result["kv"]["transport"], "rdma")
            self.assertGreater(result["kv"]["bytes"], 0)

    def test_two_ranks_prefill_for_one(self):
        self.expect_golden(2, 1)

    @unittest.skipIf(EMULATED, "a second cluster takes an emulated CPU too long")
    def test_one_rank_prefills_for_two(self):
        self.expect_golden(1, 2)

    @unittest.skipIf(EMULATED, "five ranks take an emulated CPU too long")
    def test_three_ranks_prefill_for_two(self):
        self.expect_golden(3, 2)

    def test_where_rdma_is_required_tcp_is_refused_with_what_to_do(self):
        refusal = "path prefill-0 → decode-0 refused: it runs over tcp and link.require is rdma"
        for result in self.results_of(self.start_cluster("tcp", 2, 1), 3):
            self.assertIn(f"{refusal}. Check `ferry doctor`, or set link.require: any", result["error"])


def missing():
    """Why this machine cannot have the virtual one; None: it can, as far as can be seen before trying."""
    wanted = ("qemu-system-x86_64", "busybox", "cpio", "xz", "ip", "rdma", "apt-get")
    lacking = [tool for tool in wanted if not shutil.which(tool)]
    return f"{', '.join(lacking)} missing; launch/setup/packages lanes" if lacking else None


def run_in_machine():
    """Runs this program again where there are RDMA devices."""
    why = missing()
    if why:
        program.skip(why)
    os.environ.setdefault("RDMA_VM_CACHE", str(TESTS.parent / "build" / "rdma-vm"))
    # Over with the first failure: what failed is not to be called slow.
    test = [sys.executable, os.path.abspath(__file__), FERRY, MODEL, "--failfast", *sys.argv[3:]]
    machine = [VIRTUAL_MACHINE, "--nodes", "2", "--timeout", str(MACHINE_PATIENCE_S)]
    ran = subprocess.run([*machine, "--", *test], check=False)
    if ran.returncode == NO_MACHINE:
        program.skip("no virtual machine with RDMA starts here, or it is too slow; what it said is above")
    return ran.returncode


if __name__ == "__main__":
    if not os.path.exists("/sys/class/infiniband/rxe1"):
        sys.exit(run_in_machine())
    program.main()
