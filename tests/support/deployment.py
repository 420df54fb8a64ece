"""A running `ferry up`, and what is asked of it over HTTP."""
import json
import signal
import socket
import time
import urllib.error
import urllib.request

import cluster
from program import FERRY, MODEL

TWO_PREFILL_ONE_DECODE = """  - {name: prefill-0, role: prefill}
  - {name: prefill-1, role: prefill}
  - {name: decode-0, role: decode, tp: 2}
"""


class Deployment:
    """`groups`: lines of YAML; `more`: further keys; `router`: further ones of the router; `words`: before the command.
    Ready when it is made."""

    def __init__(self, test, more="", groups=TWO_PREFILL_ONE_DECODE, memory="64MiB",
                 paths=("prefill-0 → decode-0", "prefill-1 → decode-0"), router="", words=()):
        self.port = cluster.free_port()
        self.yaml = test.write("cluster.yaml", f"""model: {MODEL}
threads: 1
kv: {{memory: {memory}}}
groups:
{groups}router: {{listen: "127.0.0.1:{self.port}", control: "127.0.0.1:{cluster.free_port()}"{router and ", " + router}}}
{more}""")
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = test.start([FERRY, *words, "up", self.yaml])
        test.addCleanup(self.stop)
        for path in paths:
            self.wait_for(lambda path=path: any(path in line and "ready" in line for line in self.command.log), path)

    def wait_for(self, holds, what, within_s=60):
        end = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}\n{''.join(self.command.log)}")
            time.sleep(0.02)

    def stop(self):
        self.command.process.send_signal(signal.SIGINT)
        return self.command.end()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    def post(self, path, body, headers=None):
        """Status and body, whatever the status is."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers or {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def raw(self, data, half_close=False):
        """What comes back for these bytes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as s:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            got = b""
            while part := s.recv(65536):
                got += part
            return got

    def pages(self):
        return cluster.pages(self.get("/metrics"))

    def wait_until_free(self):
        self.wait_for(lambda: cluster.all_free(self.get("/metrics")), "all pages are free")
