#!/usr/bin/env python3
"""What /openapi.json promises, held against the server by schemathesis: made-up requests, right and wrong ones, of which none
may break it, and each of which is answered with a status and a body that the document knows.

   schema_test.py FERRY MODEL [unittest arguments]        exit code 77: skipped, with the reason
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = ROOT / "build" / "python"
sys.path[:0] = [str(ROOT / "tests" / "support")]
from program import ProgramTest, main, skip  # noqa: E402
from stubbed import start_stubbed_router  # noqa: E402

PROGRAM = PACKAGES / "bin" / "schemathesis"
if not PROGRAM.exists():
    skip("no `schemathesis` package; launch/setup/python fetches it")

EXAMPLES = "5"
# What the document cannot say: ids that are no tokens, a context that is too short, a request that needs more time.
NOT_TOLD = "positive_data_acceptance"


class Schema(ProgramTest):
    def test_the_server_keeps_what_its_document_promises(self):
        url = start_stubbed_router(self, more="max_context: 64\n").url
        # One worker: with two, ast.parse runs in two threads of one Python, where 3.11.7 and before can fail with "AST
        # constructor recursion depth mismatch" (CPython gh-106905). Requests side by side: storm_test.py.
        command = [sys.executable, str(PROGRAM), "run", url + "/openapi.json", "--max-examples", EXAMPLES, "--no-shrink",
                   "--checks", "all", "--exclude-checks", NOT_TOLD, "--phases", "examples,coverage,fuzzing", "--workers", "1",
                   "--request-timeout", "60", "--generation-deterministic", "--no-color", "--continue-on-failure"]
        ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PACKAGES)}, cwd=self.folder, capture_output=True,
                             text=True, timeout=600, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout[-20000:] + ran.stderr[-2000:])
        print(ran.stdout[-1500:])


if __name__ == "__main__":
    main()
