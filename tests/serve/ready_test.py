#!/usr/bin/env python3
"""`GET /ready` where no token comes: who asks may go away, and the router may be told to stop.

   ready_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import pathlib
import socket
import sys
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster  # noqa: E402
from program import ProgramTest, main  # noqa: E402
from stubbed import start_stubbed_router  # noqa: E402

AN_HOUR_MS = 3600 * 1000


def ends(metrics):
    """How many requests finished, failed, were cancelled."""
    return [cluster.counter(metrics, "ferry_requests_total", f'{{end="{end}"}}') for end in ("finished", "failed", "cancelled")]


class Ready(ProgramTest):
    def setUp(self):
        super().setUp()
        self.router = start_stubbed_router(self, prefill_ms=AN_HOUR_MS)

    def metrics(self):
        with urllib.request.urlopen(self.router.url + "/metrics", timeout=30) as answer:
            return answer.read().decode()

    def wait_until(self, holds, what):
        end = time.monotonic() + 60
        while not holds(metrics := self.metrics()):
            self.assertLess(time.monotonic(), end, f"never: {what}\n{metrics}")
            time.sleep(0.01)

    def ask(self):
        client = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(self.router.url).port), timeout=30)
        self.addCleanup(client.close)
        client.sendall(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
        return client

    def test_who_goes_away_takes_the_question_along(self):
        self.ask().close()
        self.wait_until(lambda m: any(ends(m)), "it ended")
        self.assertEqual(ends(self.metrics()), [0, 0, 1])

    def test_a_router_that_is_told_to_stop_does_not_end_under_who_waits(self):
        self.ask()
        self.wait_until(lambda m: cluster.counter(m, "ferry_requests", '{state="served"}') or any(ends(m)), "it began")
        self.router.command.process.terminate()
        self.assertEqual(self.router.command.end(), 0, "".join(self.router.command.log))


if __name__ == "__main__":
    main()
