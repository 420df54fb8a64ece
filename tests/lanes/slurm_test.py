#!/usr/bin/env python3
"""launch/slurm/ferry.sbatch, and what docs/deploy.md says of Slurm, under a real one: two nodes, each a host of its own.

   slurm_test.py FERRY MODEL [unittest arguments]        exit code 77: skipped, with the reason
"""
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from golden import compare  # noqa: E402
from support import cluster, hosts, program, slurm  # noqa: E402
from support.program import FERRY, MODEL  # noqa: E402

SCRIPT = TESTS.parent / "launch/slurm/ferry.sbatch"
GOLDEN = {case["id"]: case for case in compare.lines(TESTS / "data" / "golden-smollm2-135m-q4_1.jsonl")}
CASES = [GOLDEN["raw-capital"], GOLDEN["ids-17"]]
N_TOKENS = 6  # of each answer: four ranks on the cores of one machine are slow, and what they compute others test
PROMPTS = [{**compare.prompt_of(case), "max_tokens": N_TOKENS} for case in CASES]
ASK = """import sys, urllib.request
header = {"Authorization": "Bearer " + open(sys.argv[2]).read().strip(), "Content-Type": "application/json"}
request = urllib.request.Request(sys.argv[1] + "/completions", sys.argv[3].encode(), header)
sys.stdout.write(urllib.request.urlopen(request, timeout=100).read().decode())
"""
CLUSTER = f"""model: {MODEL}
threads: 1
kv: {{memory: 64MiB}}
groups: [{{name: prefill-0, role: prefill, tp: 2}}, {{name: decode-0, role: decode, tp: 2}}]
"""
# Two nodes share the cores of this machine: a rank that waits lets others go on.
YIELD = {"OMPI_MCA_mpi_yield_when_idle": "1"}


class Slurm(program.ProgramTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ferry-slurm-")
        cls.addClassCleanup(folder.cleanup)
        cls.slurm = slurm.Slurm(pathlib.Path(folder.name) / "slurm", 2)
        cls.addClassCleanup(cls.slurm.close)
        if "pmix" not in cls.slurm.ran("srun", "--mpi=list").stdout:
            cls.doClassCleanups()
            program.skip("this Slurm does not speak PMIx")

    def setUp(self):
        super().setUp()
        self.run_folder = self.folder / "run"
        self.addCleanup(self.slurm.ran, "scancel", "--user=root")  # of a test that failed; the next one needs the nodes

    def submit_script(self, **variables):
        """The job as it is, but for nodes as small as this machine."""
        self.job_log = self.folder / "job.log"
        return self.slurm.submit(
            "--cpus-per-task=1", f"--output={self.job_log}", str(SCRIPT),
            **{"FERRY": FERRY, "MODEL": MODEL, "KV_MEMORY": "64MiB", "RUN": str(self.run_folder), **YIELD, **variables})

    def wait_for_log(self, text, n_times=1, within_s=120):
        end = time.monotonic() + within_s
        while not self.job_log.exists() or self.job_log.read_text().count(text) < n_times:
            if time.monotonic() > end:
                self.fail(f"never said {text!r} {n_times} times, but:\n" + self.job_log.read_text())
            time.sleep(0.05)

    def expect_paris(self):
        ran = self.slurm.ran(sys.executable, "-c", ASK, "http://nodeA:8000/v1", str(self.run_folder / "key"),
                             '{"prompt": "The capital of France is", "max_tokens": 2, "temperature": 0}')
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn('"text":" Paris."', ran.stdout)
        self.assertIn('"route":{"prefill":"prefill-0","decode":"decode-0"', ran.stdout)

    def command(self):
        return [FERRY, "cluster", self.write("cluster.yaml", CLUSTER), "--prompts", self.prompts(PROMPTS), "--json"]

    def expect_golden(self, lines):
        results = [json.loads(line) for line in lines if line.startswith("{")]
        self.assertEqual([(r["id"], r["ids"]) for r in results], [(c["id"], c["ids"][:N_TOKENS]) for c in CASES], lines)
        self.assertEqual({r["kv"]["transport"] for r in results}, {"tcp"})

    def test_a_job_serves_from_its_nodes_mends_a_lost_rank_and_leaves_nothing_when_it_is_cancelled(self):
        job = self.submit_script()
        self.wait_for_log("path prefill-0 → decode-0 is ready over tcp")
        self.expect_paris()
        hosts_of = {group: {os.readlink(f"/proc/{pid}/ns/net") for pid in cluster.ranks_of(self.run_folder, group)}
                    for group in ("prefill-0", "decode-0")}
        self.assertEqual([len(found) for found in hosts_of.values()], [1, 1])
        self.assertNotEqual(hosts_of["prefill-0"], hosts_of["decode-0"])
        os.kill(cluster.ranks_of(self.run_folder, "decode-0")[1], signal.SIGKILL)
        self.wait_for_log("path prefill-0 → decode-0 is ready over tcp", 2)
        self.expect_paris()
        self.assertEqual(self.slurm.ran("scancel", job).returncode, 0)
        self.expect_gone(self.run_folder, 20)  # of its own accord: Slurm kills after 30 s
        self.assertEqual(self.slurm.end_of(job), ("CANCELLED", 128 + signal.SIGTERM))

    def test_a_job_that_would_not_serve_fails_at_once_and_its_log_says_why(self):
        job = self.submit_script(MODEL="/nowhere/model.gguf")
        self.assertEqual(self.slurm.end_of(job), ("FAILED", 1))
        self.assertIn("/nowhere/model.gguf", self.job_log.read_text())
        self.assertEqual(program.alive(self.run_folder), [])

    def test_a_list_of_prompts_is_one_step_of_a_job(self):
        ran = self.slurm.ran("srun", "--nodes=2", "--ntasks=4", "--mpi=pmix", *self.command(), **YIELD)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.expect_golden(ran.stdout.splitlines())

    def test_where_slurm_speaks_no_pmix_mpirun_starts_the_ranks_of_a_job(self):
        words = ["mpirun", "--allow-run-as-root", "-n", "4", *self.command()]
        out = self.folder / "out"
        job = self.slurm.submit("--nodes=2", "--ntasks=4", f"--output={out}", "--error=/dev/null", "--wrap", " ".join(words),
                                TMPDIR=str(self.slurm.folder), **YIELD)
        self.assertEqual(self.slurm.end_of(job), ("COMPLETED", 0), out.read_text())
        self.expect_golden(out.read_text().splitlines())


if __name__ == "__main__":
    reason = slurm.missing()
    if not reason:
        with tempfile.TemporaryDirectory(prefix="ferry-hosts-") as probe:
            reason = hosts.missing(pathlib.Path(probe) / "hosts")
    if reason:
        program.skip(reason)
    program.main()
