#!/usr/bin/env python3
"""Clusters of real processes on this host: what users type, and what happens when a part of it dies.

   groups_test.py FERRY MODEL [unittest arguments]        exit code 77: skipped, with the reason
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import ranks_of  # noqa: E402
from program import FERRY, MODEL, alive  # noqa: E402

ROOT = os.geteuid() == 0
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]
MPIRUN += ["--allow-run-as-root"] if ROOT else []
PAIR = "  - {name: prefill-0, role: prefill, tp: 2}\n  - {name: decode-0, role: decode, tp: 2}\n"


def cluster_yaml(groups=PAIR, more=""):
    return f"model: {MODEL}\nthreads: 1\n{more}groups:\n{groups}"


def line_of(pipe):
    """Its next line and nothing of what follows: what a buffer has taken, communicate() does not see."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(pipe.fileno(), 1)):
        line += byte
    return line.decode()


def segments_of(pid):
    """Files of memory that Open MPI shares between this rank and others."""
    paths = {line.split(maxsplit=5)[-1].strip() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()}
    return {path for path in paths if pathlib.Path(path).name.startswith(("vader_segment", "sm_segment"))}


class Groups(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ferry-groups-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8") if isinstance(text, str) else path.write_bytes(text)
        return str(path)

    def prompts(self, lines):
        return self.write("prompts.jsonl", "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))

    def batch(self, lines, yaml=None):
        ran = subprocess.run([FERRY, "batch", self.write("cluster.yaml", yaml or cluster_yaml()), self.prompts(lines), "--json"],
                             capture_output=True, text=True, timeout=120, check=False)
        return ran, [json.loads(line) for line in ran.stdout.splitlines()]

    def generate(self, lines, *options):
        ran = subprocess.run([FERRY, "generate", "--model", MODEL, "--prompts", self.prompts(lines), "--json", *options],
                             capture_output=True, text=True, timeout=120, check=False)
        return ran, [json.loads(line) for line in ran.stdout.splitlines()]

    def start_long_batch(self, max_tokens=400):
        lines = [{"id": str(i), "prompt": "The sea", "max_tokens": max_tokens, "ignore_eos": True} for i in range(200)]
        process = subprocess.Popen([FERRY, "batch", self.write("cluster.yaml", cluster_yaml()), self.prompts(lines), "--json"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        log = ""
        while "is ready" not in log:  # a path: requests are on their way
            line = line_of(process.stderr)
            self.assertTrue(line, "batch ended before it was ready: " + log)
            log += line
        return process

    def expect_gone(self, within_s=5):
        end = time.monotonic() + within_s
        while alive(self.folder) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(alive(self.folder), [])

    def kill_a_rank_of(self, group):
        process = self.start_long_batch()
        os.kill(ranks_of(self.folder, group)[-1], signal.SIGKILL)
        out, log = process.communicate(timeout=5)  # the promise: within five seconds
        self.assertIn(process.returncode, (1, 3))
        results = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(results), 200, "every prompt has an answer")
        self.assertIn(group, results[-1]["error"])
        self.assertIn(group, log)
        self.expect_gone()

    def test_a_killed_decode_rank_ends_the_batch_and_leaves_no_process(self):
        self.kill_a_rank_of("decode-0")

    def test_after_a_killed_prefill_rank_what_was_begun_is_finished_and_the_rest_says_why(self):
        process = self.start_long_batch(max_tokens=30)
        first = line_of(process.stdout)  # so that some are begun
        os.kill(ranks_of(self.folder, "prefill-0")[-1], signal.SIGKILL)
        out, log = process.communicate(timeout=60)
        out = first + out
        self.assertEqual(process.returncode, 3)
        results = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(results), 200, "every prompt has an answer")
        done, failed = [r for r in results if not r["error"]], [r for r in results if r["error"]]
        self.assertEqual({tuple(r["ids"]) for r in done}, {tuple(done[0]["ids"])}, "the same prompt, the same tokens")
        self.assertEqual(len(done[0]["ids"]), 30)
        for r in failed:
            self.assertIn("prefill-0", r["error"])
        for r in done:
            self.assertEqual(r["route"]["attempts"], 1 + len(r["route"]["retries"]))
        self.assertIn("prefill-0", log)
        self.expect_gone()

    def test_a_group_that_is_killed_outright_leaves_no_memory(self):
        process = self.start_long_batch()
        ranks = ranks_of(self.folder, "decode-0")
        segments = segments_of(ranks[0])
        self.assertEqual(len(segments), 2, "one a rank")
        mpirun = int(pathlib.Path(f"/proc/{ranks[0]}/stat").read_text().rpartition(")")[2].split()[1])
        for pid in [mpirun, *ranks]:
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=20)
        self.assertEqual([path for path in segments if os.path.exists(path)], [])
        self.expect_gone()

    def test_a_killed_batch_leaves_no_process(self):
        process = self.start_long_batch()
        process.kill()
        process.communicate()
        self.expect_gone()

    def test_an_interrupted_batch_leaves_no_process(self):
        process = self.start_long_batch()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 1)
        self.expect_gone()

    def test_bad_lines_get_an_answer_of_their_own_and_the_others_theirs(self):
        bad_utf8 = b'{"id":"c","prompt":"\xff\xfe"}\n'
        lines = [b'{"id":"a","prompt":"The capital of France is","max_tokens":4}\n', b"{not json\n", bad_utf8,
                 b'{"id":"d","prompt":""}\n', b'{"id":"e","prompt":"x","max_tokens":0}\n',
                 json.dumps({"id": "f", "prompt_ids": [5] * 9000}).encode() + b"\n",
                 json.dumps({"id": "g", "prompt_ids": [5] * 5000, "max_tokens": 3000}).encode() + b"\n",
                 b'{"id":"h","prompt":"1, 2, 3,","max_tokens":4}\n']
        ran = subprocess.run([FERRY, "batch", self.write("cluster.yaml", cluster_yaml(more="kv: {memory: 64MiB}\n")),
                              self.write("p.jsonl", b"".join(lines)), "--json"], capture_output=True, text=True, timeout=120,
                             check=False)
        results = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertEqual(ran.returncode, 3)
        self.assertEqual([bool(r["error"]) for r in results], [False, True, True, True, True, True, True, False])
        self.assertIn("line 2", results[1]["error"])
        self.assertIn("line 3", results[2]["error"])
        self.assertIn("UTF-8", results[2]["error"])
        self.assertIn("context", results[5]["error"])
        self.assertIn("kv.memory", results[6]["error"])
        self.assertEqual(results[0]["text"], " Paris.\n\n")

    def test_a_seed_gives_the_same_text_on_any_split(self):
        lines = [{"id": str(i), "prompt": "Once upon a time", "temperature": 0.9, "top_p": 0.9, "top_k": 50, "min_p": 0.02, "seed": i,
                  "max_tokens": 24} for i in range(6)]
        _, alone = self.generate(lines)
        ran, apart = self.batch(lines)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual([r["ids"] for r in apart], [r["ids"] for r in alone])
        self.assertGreater(len({tuple(r["ids"]) for r in alone}), 3, "seeds differ")

    def test_stop_strings_end_a_text_before_them(self):
        line = {"id": "a", "prompt": "1, 2, 3, 4, 5, 6, 7,", "max_tokens": 60, "stop": ["14", " 12,"]}
        _, alone = self.generate([line])
        ran, apart = self.batch([line, {**line, "id": "b", "stop": []}])
        self.assertEqual(ran.returncode, 0)
        self.assertEqual(alone[0]["text"], " 8, 9, 10, 11,")
        self.assertEqual(apart[0]["text"], " 8, 9, 10, 11,")
        self.assertEqual(apart[0]["finish_reason"], "stop")
        self.assertEqual(apart[1]["usage"]["completion_tokens"], 60)

    def test_a_batch_larger_than_the_memory_finishes(self):
        lines = [{"id": str(i), "prompt": "The sea " * (1 + i % 7), "max_tokens": 40, "ignore_eos": True} for i in range(24)]
        _, alone = self.generate(lines)
        ran, apart = self.batch(lines, cluster_yaml(more="kv: {memory: 8MiB}\n"))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual([r["ids"] for r in apart], [r["ids"] for r in alone])

    def test_the_bytes_shipped_are_those_of_the_prompt_and_the_type(self):
        for dtype, size in (("f16", 2), ("bf16", 2), ("f32", 4)):
            ran, results = self.batch([{"id": "a", "prompt": "The capital of France is", "max_tokens": 3}],
                                      cluster_yaml(more=f"kv: {{dtype: {dtype}}}\n"))
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(results[0]["kv"]["bytes"], 30 * 3 * 5 * 64 * 2 * size)
            self.assertIn(results[0]["kv"]["transport"], ("shm", "tcp", "rdma"))

    def test_a_worker_with_another_model_is_refused_by_name(self):
        other = pathlib.Path(self.folder / "other.gguf")
        data = bytearray(pathlib.Path(MODEL).read_bytes())
        data[-100] ^= 1
        other.write_bytes(data)
        port = 20000 + os.getpid() % 20000
        yaml = cluster_yaml("  - {name: p, role: prefill}\n  - {name: d, role: decode}\n", f"router: {{control: '127.0.0.1:{port}'}}\n")
        good, bad = self.write("good.yaml", yaml), self.write("bad.yaml", yaml.replace(MODEL, str(other)))
        router = subprocess.Popen([FERRY, "router", good, "--prompts", self.prompts([{"id": "a", "prompt": "x", "max_tokens": 2}])],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        worker = subprocess.run([FERRY, "worker", bad, "--group", "d"], capture_output=True, text=True, timeout=60, check=False)
        router.terminate()
        router.communicate(timeout=10)
        self.assertEqual(worker.returncode, 1)
        self.assertIn("model_hash", worker.stderr)

    def test_require_rdma_refuses_less_and_says_so(self):
        ran, results = self.batch([{"id": "a", "prompt": "x", "max_tokens": 2}], cluster_yaml(more="link: {require: rdma, transport: shm}\n"))
        self.assertEqual(ran.returncode, 3)
        self.assertIn("link.require is rdma", results[0]["error"])

    def test_a_wrong_number_of_ranks_is_said(self):
        ran = subprocess.run(MPIRUN + ["-n", "2", FERRY, "cluster", self.write("cluster.yaml", cluster_yaml())], capture_output=True,
                             text=True, timeout=60, input="", check=False)
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("mpirun -n 5", ran.stderr)

    def test_more_kv_memory_than_there_is_is_said_before_it_is_taken(self):
        yaml = self.write("cluster.yaml", cluster_yaml("  - {name: all, role: mixed}\n", "kv: {memory: 64TiB}\n"))
        prompts = self.prompts([{"id": "a", "prompt": "x", "max_tokens": 2}])
        for words in ([FERRY, "generate", "--model", MODEL, "--kv-memory", "64TiB", "--prompt", "x"],
                      [FERRY, "batch", yaml, prompts],
                      MPIRUN + ["-n", "1", FERRY, "cluster", yaml, "--prompts", prompts]):
            ran = subprocess.run(words, capture_output=True, text=True, timeout=60, input="", check=False)
            self.assertGreater(ran.returncode, 0, words)  # not ended by a signal
            self.assertIn("kv.memory: 1 rank here", ran.stderr)
            self.assertNotIn("terminate called", ran.stderr)

    def test_recomputing_everything_gives_the_same_tokens(self):
        plot = self.folder / "cache.svg"
        ran = subprocess.run([FERRY, "bench", "model", "--model", MODEL, "--kv-cache", "off", "--prefill", "24", "--json", "--plot",
                              str(plot)], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        last = json.loads(ran.stdout.splitlines()[-1])
        self.assertTrue(last["same_with_cache"])
        self.assertEqual(len(last["ids"]), 20)
        self.assertIn("<svg", plot.read_text())


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        print(f"skipped: no demo model at {MODEL}; launch/setup/model fetches it")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
