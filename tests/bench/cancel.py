#!/usr/bin/env python3
"""How long pages of both groups stay taken after a client has gone away: from the close of its connection until /metrics
says that all pages are free, for clients that go while the prompt is computed and while tokens come.

   tests/bench/cancel.py FERRY MODEL [N]      one JSON line each

Groups tell their pages every 200 ms, and /metrics is asked every 5: that is part of what is measured.
"""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster  # noqa: E402
from cluster import free_port  # noqa: E402

FERRY, MODEL, N = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode()


def wait_until_free(port, free):
    begin = time.monotonic()
    while cluster.all_free(metrics := get(port, "/metrics")) != free:
        if time.monotonic() - begin > 30:
            sys.exit(f"pages after 30 s: {cluster.pages(metrics)}")
        time.sleep(0.005)
    return (time.monotonic() - begin) * 1000


def main():
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        yaml = pathlib.Path(folder) / "cluster.yaml"
        yaml.write_text(f"""model: {MODEL}
threads: 1
groups: [{{name: prefill-0, role: prefill}}, {{name: decode-0, role: decode}}]
router: {{listen: "127.0.0.1:{port}", control: "127.0.0.1:{free_port()}"}}
""")
        ferry = subprocess.Popen([FERRY, "-q", "up", str(yaml)])
        try:
            while True:
                try:
                    get(port, "/ready")
                    break
                except OSError:
                    time.sleep(0.1)
            for when, prompt, pause_s in (("prefill", "a b c " * 300, 0.3), ("decode", "Once upon a time", 0.5)):
                times = []
                for i in range(N):
                    wait_until_free(port, True)
                    body = json.dumps({"prompt": f"{i} {prompt}", "max_tokens": 500, "ignore_eos": True, "stream": True}).encode()
                    with socket.create_connection(("127.0.0.1", port)) as s:
                        s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                        wait_until_free(port, False)  # both groups have told that pages are taken
                        time.sleep(pause_s)
                    times.append(wait_until_free(port, True))
                times.sort()
                print(json.dumps({"cancelled_during": when, "n": N, "median_ms": round(times[N // 2]), "longest_ms": round(times[-1])}))
        finally:
            ferry.terminate()
            ferry.wait()


main()
