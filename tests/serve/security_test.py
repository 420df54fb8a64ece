#!/usr/bin/env python3
"""Who is let in by `ferry router`, how much of it anyone can have, and what a client that means ill gets.

   security_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "build" / "python")]
from cluster import free_port  # noqa: E402
from program import FERRY, MODEL, ProgramTest, main, skip  # noqa: E402

try:
    import openai
except ImportError:
    skip("no `openai` package; launch/setup/python fetches it")

NAME = pathlib.Path(MODEL).stem
LONG = {"prompt": "Once", "max_tokens": 1500, "ignore_eos": True}
JSON = {"Content-Type": "application/json"}
HELLO = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


class Cluster:
    """A router and, unless it is not asked for, one group; `router`: more of its YAML."""

    def __init__(self, test, router="", group=True):
        self.test, self.port, self.control = test, free_port(), free_port()
        self.yaml = test.write("cluster.yaml", f"""model: {MODEL}
threads: 1
kv: {{memory: 256MiB}}
deadline_ms: 300000
groups: [{{name: local, role: mixed}}]
router:
  listen: 127.0.0.1:{self.port}
  control: 127.0.0.1:{self.control}
{router}""")
        self.log = test.start([FERRY, "router", self.yaml])
        self.log.wait_for_log("router: HTTP at")
        self.url = f"http://127.0.0.1:{self.port}"
        if group:
            self.worker = test.start([FERRY, "worker", self.yaml, "--group", "local"])
            self.log.wait_for_log("group local is ready")

    def client(self, key, **more):
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=300, **more)

    def ask(self, path, body=None, key=None, headers=()):
        """Status, header and body, whatever the status is."""
        fields = {**({"Authorization": "Bearer " + key} if key else {}), **dict(headers)}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, fields)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read().decode()

    def metric(self, name, key=None):
        return float(re.search("^" + re.escape(name) + r" (\S+)$", self.ask("/metrics", key=key)[2], re.M)[1])

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.test.addCleanup(s.close)
        return s


def rest_of(s):
    got = b""
    try:
        while part := s.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def post(body, more=""):
    data = json.dumps(body).encode()
    return f"POST /v1/completions HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {len(data)}\r\n\r\n".encode() + data


def wait_until(holds, what, within_s=60):
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("never: " + what)
        time.sleep(0.02)


class SecurityTest(ProgramTest):
    def new_key(self, name, *options):
        made = subprocess.run([FERRY, "keys", "add", str(self.folder / "keys"), name, *options], capture_output=True,
                              text=True, check=True, timeout=60)
        return made.stdout.strip()

    def keys(self, *words):
        return subprocess.run([FERRY, "keys", *words], capture_output=True, text=True, check=False, timeout=60)


class Keys(SecurityTest):
    def test_a_key_lets_in_what_it_may_and_is_nowhere_but_with_its_owner(self):
        alice = self.new_key("alice", "--weight", "2.5")
        cluster = Cluster(self, "  keys: keys\n")
        answer = cluster.client(alice).completions.with_raw_response.create(model=NAME, prompt="Hi", max_tokens=2)
        record = json.loads(cluster.ask("/debug/requests/" + answer.headers["x-request-id"], key=alice)[2])
        self.assertEqual((record["key"], record["weight"]), ("alice", 2.5))
        for wrong in ("none", alice[:-1] + ("0" if alice[-1] != "0" else "1"), self_made(alice)):
            with self.assertRaises(openai.AuthenticationError) as caught:
                cluster.client(wrong).models.list()
            self.assertEqual(caught.exception.code, "invalid_api_key")
        for path in ("/health", "/"):  # the page asks for a key itself
            self.assertEqual(cluster.ask(path)[0], 200)
        for path in ("/metrics", "/debug/requests", "/ready", "/v1/models", "/openapi.json", "/nothing", "/debug/cluster"):
            status, headers, _ = cluster.ask(path)
            self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"), path)
        self.assertIn("Basic", cluster.ask("/metrics", headers={"Accept": "text/html,*/*"})[1]["WWW-Authenticate"])
        self.assertEqual(cluster.metric('ferry_http_refused_total{why="wrong_key"}', alice), 3)
        secret = alice.rsplit("-", 1)[1]
        self.assertNotIn(secret, "".join(cluster.log.log) + (self.folder / "keys").read_text() +
                         cluster.ask("/metrics", key=alice)[2] + cluster.ask("/debug/requests", key=alice)[2] +
                         self.keys("list", str(self.folder / "keys")).stdout)

    def test_a_benchmark_shows_a_key_and_tells_nobody(self):
        path = pathlib.Path(self.write("alice.key", self.new_key("alice") + "\n"))
        path.chmod(0o600)
        cluster = Cluster(self, "  keys: keys\n")
        bench = lambda *words: subprocess.run(  # noqa: E731
            [FERRY, "bench", "serve", "--url", cluster.url, "--requests", "2", "--max-tokens", "2", "--prompt-tokens", "4",
             "--json", *words], capture_output=True, text=True, check=False, timeout=120)
        ran = bench("--key-file", str(path))
        self.assertEqual((ran.returncode, json.loads(ran.stdout)["answered"]), (0, 2), ran.stderr)
        self.assertNotIn(path.read_text().strip(), ran.stdout + ran.stderr)
        self.assertIn("HTTP 401", bench().stdout)

    def test_a_key_sees_its_own_requests_and_an_admins_key_all(self):
        alice, bob, root = self.new_key("alice"), self.new_key("bob"), self.new_key("root", "--admin")
        cluster = Cluster(self, "  keys: keys\n")
        ids = {key: cluster.client(key).completions.with_raw_response.create(model=NAME, prompt="Hi", max_tokens=1)
               .headers["x-request-id"] for key in (alice, bob)}
        stream = cluster.client(alice).completions.create(model=NAME, stream=True, prompt="Once", max_tokens=1500,
                                                            extra_body={"ignore_eos": True})
        next(iter(stream))
        for key, sees, running in ((alice, {ids[alice]}, 1), (bob, {ids[bob]}, 0), (root, set(ids.values()), 1)):
            self.assertEqual({r["id"] for r in json.loads(cluster.ask("/debug/requests", key=key)[2])}, sees)
            shown = json.loads(cluster.ask("/debug/cluster", key=key)[2])
            self.assertEqual({r["id"] for r in shown["latest"]}, sees)
            self.assertEqual((len(shown["in_flight"]), shown["served"]), (running, 1))
            for id in ids.values():
                self.assertEqual(cluster.ask("/debug/requests/" + id, key=key)[0], 200 if id in sees else 404)
        ran = subprocess.run([FERRY, "explain", ids[alice], "--router", cluster.url, "--key", bob], capture_output=True,
                             text=True, check=False, timeout=60)
        self.assertEqual((ran.returncode, "tells a key of its own requests only" in ran.stderr), (1, True), ran.stderr)
        stream.close()

    def test_keys_come_and_go_while_the_router_runs(self):
        alice = self.new_key("alice")
        cluster = Cluster(self, "  keys: keys\n", group=False)
        status = lambda key: cluster.ask("/v1/models", key=key)[0]  # noqa: E731
        self.assertEqual(status(alice), 200)
        bob = self.new_key("bob", "--max-streams", "3")
        self.assertEqual(status(bob), 200)
        self.assertEqual(self.keys("list", str(self.folder / "keys")).stdout, "alice\nbob max_streams=3\n")
        good = (self.folder / "keys").read_text()
        (self.folder / "keys").write_text(good + "carol\n")
        self.assertEqual((status(alice), status(bob)), (200, 200))
        cluster.log.wait_for_log("keys:3: expected NAME sha256:SALT:HASH")
        (self.folder / "keys").write_text(good)
        self.assertEqual(self.keys("remove", str(self.folder / "keys"), "alice").returncode, 0)
        self.assertEqual((status(alice), status(bob)), (401, 200))
        again = self.keys("remove", str(self.folder / "keys"), "alice")
        self.assertEqual((again.returncode, "no key is called" in again.stderr), (1, True))

    def test_who_is_not_let_in_need_not_send_a_body_and_can_try_again(self):
        self.new_key("alice")
        cluster = Cluster(self, "  keys: keys\n", group=False)
        s = cluster.connect()
        s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + b"x" * 100000)
        self.assertIn(b" 401 ", rest_of(s).split(b"\r\n")[0])
        s = cluster.connect()  # without a body, the connection stays
        s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO + HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        got = rest_of(s)
        self.assertEqual((got.count(b" 401 "), got.count(b" 200 OK")), (1, 2))

    def test_only_admin_keys_operate_the_cluster(self):
        alice, root = self.new_key("alice"), self.new_key("root", "--admin")
        cluster = Cluster(self, "  keys: keys\n")
        drain = lambda key, **more: cluster.ask("/admin/drain", {"group": "local", **more}, key, JSON)[0]  # noqa: E731
        self.assertEqual([drain(None), drain(alice), drain(root)], [401, 403, 200])
        ferry = lambda key, *words: subprocess.run(  # noqa: E731
            [FERRY, "drain", "local", "--router", cluster.url, "--key", key, *words], capture_output=True, text=True,
            check=False, timeout=60)
        ran = ferry(alice)
        self.assertEqual((ran.returncode, "ferry keys add --admin" in ran.stderr), (1, True), ran.stderr)
        ran = ferry(root, "--undo")
        self.assertEqual((ran.returncode, ran.stdout), (0, "local: ready\n"))
        self.assertEqual(cluster.metric('ferry_http_refused_total{why="not_admin"}', alice), 2)
        s = cluster.connect()  # nor does he send a body
        s.sendall(f"POST /admin/drain HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {alice}\r\nContent-Length: 8000000"
                  "\r\n\r\n".encode() + b"x" * 100000)
        self.assertIn(b" 403 ", rest_of(s).split(b"\r\n")[0])

    def test_without_keys_only_who_is_on_this_host_operates_the_cluster(self):
        port = free_port()
        yaml = self.write("c.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\nrouter: {{listen: '0.0.0.0:{port}', "
                          f"control: '127.0.0.1:{free_port()}', allow_unauthenticated: true}}\n")
        self.start([FERRY, "router", yaml]).wait_for_log("router: HTTP at")

        def groups(host, headers=None):
            request = urllib.request.Request(f"http://{host}:{port}/admin/groups", headers=headers or {})
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status
            except urllib.error.HTTPError as e:
                return e.code

        self.assertEqual(groups("127.0.0.1"), 200)
        for sign in ("Origin", "X-Forwarded-For"):  # a page in a browser here, a proxy here
            self.assertEqual(groups("127.0.0.1", {sign: "http://evil.example"}), 403)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address that others see
            except OSError:
                self.skipTest("this host has no address but loopback")
            self.assertEqual(groups(probe.getsockname()[0]), 403)

    def test_a_file_that_cannot_be_used_ends_the_router_with_what_to_do(self):
        for text, mode, says in (("alice\n", 0o600, "keys:1: expected"), ("", 0o666, "chmod go-w")):
            path = pathlib.Path(self.write("keys", text))
            path.chmod(mode)
            yaml = self.write("c.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\n"
                              f"router: {{keys: keys, listen: '127.0.0.1:0', control: '127.0.0.1:0'}}\n")
            ran = subprocess.run([FERRY, "router", yaml], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(ran.returncode, 1)
            self.assertIn(says, ran.stderr)


def self_made(key):
    """A key of the right form and the right salt."""
    return key.rsplit("-", 1)[0] + "-" + "0" * 64


class Limits(SecurityTest):
    def test_a_key_has_its_streams_and_no_more_and_others_are_not_touched(self):
        alice, bob = self.new_key("alice", "--max-streams", "2"), self.new_key("bob")
        cluster = Cluster(self, "  keys: keys\n")
        client = cluster.client(alice)
        streams = [client.completions.create(model=NAME, stream=True, prompt="Once", max_tokens=1500,
                                             extra_body={"ignore_eos": True}) for _ in range(2)]
        for stream in streams:
            next(iter(stream))
        with self.assertRaises(openai.RateLimitError) as caught:
            client.completions.create(model=NAME, prompt="Once", max_tokens=1)
        self.assertEqual(caught.exception.code, "rate_limit_exceeded")
        self.assertGreaterEqual(int(caught.exception.response.headers["retry-after"]), 1)
        with self.assertRaises(openai.BadRequestError) as caught:
            client.completions.create(model=NAME, prompt="Once", max_tokens=1, n=3)
        self.assertEqual(caught.exception.param, "n")
        self.assertEqual(cluster.client(bob).completions.create(model=NAME, prompt="A", max_tokens=1).usage.completion_tokens, 1)
        self.assertEqual(cluster.metric('ferry_key_choices{key="alice",state="begun"}', bob), 2)
        streams[0].close()
        wait_until(lambda: cluster.metric('ferry_key_choices{key="alice",state="begun"}', bob) == 1, "a place is free")
        self.assertEqual(client.completions.create(model=NAME, prompt="A", max_tokens=1).usage.completion_tokens, 1)
        streams[1].close()

    def test_what_one_request_may_ask_for_is_in_the_yaml(self):
        cluster = Cluster(self, "  limits: {prompt_tokens: 8, choices: 2, stops: 1, stop_bytes: 3, body_bytes: 4096, "
                          "header_bytes: 512}\n", group=False)
        for more, param in (({"prompt": "a b c d e f g h i j"}, "prompt"), ({"n": 3}, "n"), ({"prompt": ["a"] * 3}, "prompt"),
                            ({"stop": ["a", "b"]}, "stop"), ({"stop": "abcd"}, "stop")):
            status, _, answer = cluster.ask("/v1/completions", {"prompt": "a", "max_tokens": 1, **more})
            self.assertEqual((status, json.loads(answer)["error"]["param"]), (400, param), answer)
        self.assertEqual(cluster.ask("/v1/completions", {"prompt": "a" * 5000})[0], 413)
        self.assertEqual(cluster.ask("/health", headers={"X": "a" * 600})[0], 431)

    def test_a_client_that_dawdles_is_cut_off(self):
        cluster = Cluster(self, "  limits: {header_ms: 300, body_ms: 300, idle_ms: 300}\n", group=False)
        silent, slow = cluster.connect(), cluster.connect()
        slow.sendall(b"GET /health HTTP/1.1\r\nHost:")
        self.assertEqual(rest_of(silent), b"")
        rest_of(slow)  # whatever is said, it ends
        dripping = cluster.connect()
        try:
            while True:  # a byte at a time is no reason to wait longer
                dripping.sendall(b"a")
                time.sleep(0.01)
        except OSError:
            pass
        no_body = cluster.connect()
        no_body.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        self.assertEqual(rest_of(no_body), b"")
        idle = cluster.connect()
        idle.sendall(HELLO)
        self.assertTrue(rest_of(idle).startswith(b"HTTP/1.1 200 OK"))
        half = cluster.connect()
        half.sendall(HELLO)
        half.shutdown(socket.SHUT_WR)
        self.assertTrue(rest_of(half).startswith(b"HTTP/1.1 200 OK"))
        self.assertEqual(cluster.ask("/health")[0], 200)

    def test_a_client_that_never_reads_loses_its_stream(self):
        cluster = Cluster(self, "  limits: {write_ms: 500}\n")
        s = socket.socket()
        self.addCleanup(s.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", cluster.port))
        # Many logprobs of many choices: more bytes than the kernel keeps for it.
        s.sendall(post({**LONG, "stream": True, "logprobs": 20, "n": 2}))
        wait_until(lambda: cluster.metric('ferry_requests_total{end="cancelled"}') == 2, "it is cut off", 240)
        record = json.loads(cluster.ask("/debug/requests")[2])[0]
        self.assertEqual(record["end"], "cancelled")
        self.assertGreater(record["completion_tokens"], 0)
        self.assertEqual(cluster.ask("/v1/completions", {"prompt": "A", "max_tokens": 1})[0], 200)

    def test_connections_over_the_limit_are_told_so(self):
        cluster = Cluster(self, "  limits: {connections: 4}\n", group=False)
        held = [cluster.connect() for _ in range(4)]
        for s in held:
            s.sendall(HELLO)
            self.assertIn(b" 200 OK", s.recv(4096))
        self.assertEqual(cluster.ask("/health")[0], 503)
        held[0].close()
        wait_until(lambda: cluster.ask("/health")[0] == 200, "one has room again")


class Tls(SecurityTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("no openssl program to make certificates with")
        self.make("ca", "/CN=ferry test CA")
        self.issue("server", "127.0.0.1")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder, timeout=60)

    def make(self, name, subject):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                     "-subj", subject, "-keyout", name + ".key", "-out", name + ".pem")
        (self.folder / (name + ".key")).chmod(0o600)

    def issue(self, name, address, ca="ca"):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                     "-keyout", name + ".key", "-out", name + ".csr")
        (self.folder / "san").write_text(f"subjectAltName=IP:{address}\n")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial",
                     "-days", "2", "-extfile", "san", "-out", name + ".pem")
        (self.folder / (name + ".key")).chmod(0o600)

    def trusting(self):
        return ssl.create_default_context(cafile=self.folder / "ca.pem")

    def test_the_official_client_talks_tls_and_a_client_that_goes_away_is_noticed(self):
        cluster = Cluster(self, "  tls: {certificate: server.pem, key: server.key}\n  limits: {header_ms: 1000}\n")
        client = openai.OpenAI(base_url=f"https://127.0.0.1:{cluster.port}/v1", api_key="none", max_retries=0, timeout=300,
                               http_client=openai.DefaultHttpxClient(verify=self.trusting()))
        case = client.completions.create(model=NAME, prompt="The capital of France is", max_tokens=4, temperature=0)
        self.assertTrue(case.choices[0].text.startswith(" Paris"))
        stream = client.completions.create(model=NAME, prompt="Once", max_tokens=1500, stream=True, extra_body={"ignore_eos": True})
        for _ in range(3):
            next(iter(stream))
        stream.close()

        def metrics():
            with urllib.request.urlopen(f"https://127.0.0.1:{cluster.port}/metrics", context=self.trusting()) as answer:
                return answer.read().decode()
        wait_until(lambda: 'ferry_requests_total{end="cancelled"} 1' in metrics(), "the stream is cancelled")
        with self.trusting().wrap_socket(cluster.connect(), server_hostname="127.0.0.1") as polite:  # says farewell first
            polite.sendall(post({**LONG, "stream": True}))
            self.assertIn(b"200 OK", polite.recv(4096))
            polite.setblocking(False)
            try:
                polite.unwrap()
            except (ssl.SSLError, OSError):
                pass
        wait_until(lambda: 'ferry_requests_total{end="cancelled"} 2' in metrics(), "this one, too")
        # What is no TLS, old TLS, and a handshake that does not go on.
        for data in (HELLO, b"\x16\x03\x01", b""):
            s = cluster.connect()
            s.sendall(data)
            self.assertNotIn(b"200 OK", rest_of(s))
        old = self.trusting()
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, OSError)):
            old.wrap_socket(cluster.connect(), server_hostname="127.0.0.1")
        self.assertEqual(client.models.list().data[0].id, NAME)

    def test_a_new_certificate_needs_no_restart_and_a_broken_one_does_no_harm(self):
        cluster = Cluster(self, "  tls: {certificate: server.pem, key: server.key}\n", group=False)

        def shown():
            with self.trusting().wrap_socket(cluster.connect(), server_hostname="127.0.0.1") as s:
                return s.getpeercert(binary_form=True)

        def in_file():
            return ssl.PEM_cert_to_DER_cert((self.folder / "server.pem").read_text())
        first = in_file()
        open_before = self.trusting().wrap_socket(cluster.connect(), server_hostname="127.0.0.1")
        self.addCleanup(open_before.close)
        self.assertEqual(shown(), first)
        self.issue("server", "127.0.0.1")
        second = in_file()
        self.assertNotEqual(second, first)
        self.assertEqual(shown(), second)
        open_before.sendall(HELLO)
        self.assertIn(b"200 OK", open_before.recv(4096))
        (self.folder / "server.pem").write_text("no certificate\n")
        self.assertEqual([shown(), shown(), shown()], [second] * 3)
        self.issue("server", "127.0.0.1")
        self.assertEqual(shown(), in_file())
        wait_until(lambda: sum("get the new certificate" in line for line in cluster.log.log) == 2, "both are reported")
        complaints = [line for line in cluster.log.log if "get the certificate of before" in line]
        self.assertEqual(len(complaints), 1)
        self.assertIn("server.pem is no certificate", complaints[0])

    def test_leaders_prove_who_they_are_by_a_certificate(self):
        self.make("other-ca", "/CN=another CA")
        self.issue("leader", "127.0.0.1")
        self.issue("stranger", "127.0.0.1", "other-ca")
        part = "  control_tls: {{certificate: {0}.pem, key: {0}.key, ca: ca.pem}}\n"
        cluster = Cluster(self, part.format("server"), group=False)
        text = pathlib.Path(cluster.yaml).read_text()

        def worker(name, ca="ca"):
            yaml = self.write(name + ".yaml", text.replace(part.format("server"), part.format(name).replace("ca.pem", ca + ".pem")))
            return self.start([FERRY, "worker", yaml, "--group", "local"])
        plain = self.write("plain.yaml", text.replace(part.format("server"), ""))
        strangers = [worker("stranger"), self.start([FERRY, "worker", plain, "--group", "local"])]
        mistrusting = worker("leader", "other-ca")
        self.assertEqual(mistrusting.end(60), 1)  # of the router
        self.assertIn("does not let group local in", "".join(mistrusting.log))
        worker("leader")
        cluster.log.wait_for_log("group local is ready")
        self.assertEqual(cluster.ask("/v1/completions", {"prompt": "A", "max_tokens": 1})[0], 200)
        self.assertEqual(sum("is ready" in line for line in cluster.log.log), 1)
        for stranger in strangers:
            stranger.close()

    def test_certificates_of_leaders_and_router_are_renewed_while_they_run(self):
        self.issue("leader", "127.0.0.1")
        part = "  control_tls: {{certificate: {0}.pem, key: {0}.key, ca: ca.pem}}\n"
        cluster = Cluster(self, part.format("server"), group=False)
        text = pathlib.Path(cluster.yaml).read_text()

        def worker(name):
            yaml = self.write(name + ".yaml", text.replace(part.format("server"), part.format(name)))
            return self.start([FERRY, "worker", yaml, "--group", "local"])

        def answers():
            self.assertEqual(cluster.ask("/v1/completions", {"prompt": "A", "max_tokens": 1})[0], 200)
        first = worker("leader")
        cluster.log.wait_for_log("group local is ready")
        for kind in (".pem", ".key"):  # of an authority that soon nobody trusts
            shutil.copy(self.folder / ("leader" + kind), self.folder / ("old" + kind))
        self.make("ca", "/CN=the next authority")
        self.issue("server", "127.0.0.1")
        self.issue("leader", "127.0.0.1")
        stranger = worker("old")  # trusts the router, and has nothing that the router trusts
        cluster.log.wait_for_log("router.control_tls: new connections get the new certificate")
        answers()  # over the stream that was open

        cluster.log.process.send_signal(signal.SIGSTOP)  # until the leader takes it for dead, and dials again
        first.wait_for_log("router.control_tls: new connections get the new certificate")
        cluster.log.process.send_signal(signal.SIGCONT)
        cluster.log.wait_for_log("group local is ready")
        answers()

        (self.folder / "server.pem").write_text("no certificate\n")
        first.process.terminate()
        first.end()
        second = worker("leader")
        cluster.log.wait_for_log("server.pem is no certificate")
        cluster.log.wait_for_log("group local is ready")
        answers()
        self.assertEqual(sum("is ready" in line for line in cluster.log.log), 3)
        for command in (stranger, second):
            command.close()

    def test_files_that_do_not_fit_end_the_router_with_their_names(self):
        self.make("second", "/CN=second")
        yaml = lambda tls: self.write("c.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\nrouter: {{{tls}, "  # noqa: E731
                                      "listen: '127.0.0.1:0', control: '127.0.0.1:0'}\n")
        for tls, says in (("tls: {certificate: none.pem, key: server.key}", "cannot read"),
                          ("tls: {certificate: server.key, key: server.key}", "is no certificate"),
                          ("tls: {certificate: server.pem, key: second.key}", "second.key is no"),
                          ("tls: {certificate: server.pem}", "router.tls.key is missing"),
                          ("control_tls: {certificate: server.pem, key: second.key, ca: ca.pem}", "second.key is no"),
                          ("control_tls: {certificate: server.pem, key: server.key, ca: server.key}",
                           "server.key is no list of certificates")):
            ran = subprocess.run([FERRY, "router", yaml(tls)], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(ran.returncode, 1, tls)
            self.assertIn(says, ran.stderr)


class Joining(SecurityTest):
    def token(self, name, text="0123456789abcdef-of-this-test"):
        path = pathlib.Path(self.write(name, text + "\n"))
        path.chmod(0o600)

    def test_a_leader_without_the_token_is_sent_away_and_disturbs_nobody(self):
        self.token("token")
        self.token("other", "fedcba9876543210-of-this-test")
        cluster = Cluster(self, "  join_token: token\n")
        text = pathlib.Path(cluster.yaml).read_text()
        self.write("without.yaml", text.replace("  join_token: token\n", ""))
        self.write("wrong.yaml", text.replace("join_token: token", "join_token: other"))
        refused = cluster.metric('ferry_router_messages_refused_total{why="not_allowed"}')
        for yaml in ("without.yaml", "wrong.yaml"):
            intruder = self.start([FERRY, "worker", str(self.folder / yaml), "--group", "local"])
            self.assertEqual(intruder.end(60), 1)
            self.assertIn("router.join_token", "".join(intruder.log))
            self.assertEqual(cluster.ask("/v1/completions", {"prompt": "A", "max_tokens": 1})[0], 200)
        self.assertEqual(cluster.metric('ferry_router_messages_refused_total{why="not_allowed"}'), refused + 2)
        cluster.log.wait_for_log("dialed without the join token")
        shown = subprocess.run([FERRY, "doctor", "--values", cluster.yaml], capture_output=True, text=True, check=True).stdout
        for secret in ("0123456789abcdef", "fedcba9876543210"):
            self.assertNotIn(secret, "".join(cluster.log.log) + cluster.ask("/metrics")[2] + shown)
        self.assertIn("router.join_token: " + str(self.folder / "token"), shown)

    def test_a_token_that_others_can_read_is_refused(self):
        self.token("token")
        (self.folder / "token").chmod(0o640)
        yaml = self.write("c.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\nrouter: {{join_token: token}}\n")
        for words in (["router", yaml], ["worker", yaml, "--group", "a"]):
            ran = subprocess.run([FERRY, *words], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(ran.returncode, 1)
            self.assertIn("chmod 600", ran.stderr)

    def test_what_other_hosts_could_reach_unasked_does_not_start(self):
        port = free_port()
        for router, says in ((f"listen: '0.0.0.0:{port}'", "router.keys: FILE"),
                             (f"listen: '127.0.0.1:{port}', control: '0.0.0.0:0'", "router.join_token: FILE")):
            yaml = self.write("c.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\nrouter: {{{router}}}\n")
            ran = subprocess.run([FERRY, "router", yaml], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(ran.returncode, 1)
            self.assertIn(says, ran.stderr)
            self.assertIn("router.allow_unauthenticated: true", ran.stderr)
            doctor = subprocess.run([FERRY, "doctor", yaml], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(doctor.returncode, 1)
            self.assertIn(says.split(":")[0], doctor.stdout)
        yaml = self.write("c.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\n"
                          f"router: {{listen: '0.0.0.0:{port}', control: '127.0.0.1:0', allow_unauthenticated: true}}\n")
        self.start([FERRY, "router", yaml]).wait_for_log("router: HTTP at")


if __name__ == "__main__":
    main()
