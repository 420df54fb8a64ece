#!/usr/bin/env python3
"""HTTP/1.1 as RFC 9112 and 9110 have it, byte by byte over plain sockets: what is well formed is answered, what is
ambiguous is refused, and whoever is refused does not hurt the next one.

   http_test.py FERRY MODEL [unittest arguments]          exit code 77: skipped, with the reason

A router without groups: what is asked of it here needs none.
"""
import json
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import free_port  # noqa: E402
from program import FERRY, MODEL, ProgramTest, main  # noqa: E402

TOKENIZE = json.dumps({"prompt": "A ferry"}).encode()


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:200]}"


class Connection:
    """Reads answers one by one, strictly."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.bytes = b""

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        part = self.socket.recv(65536)
        self.bytes += part
        return bool(part)

    def answer(self, of="GET"):
        """The next one; None: the server has closed."""
        while b"\r\n\r\n" not in self.bytes:
            if not self.more():
                assert not self.bytes, self.bytes
                return None
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ")
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        if int(status) == 100 or of == "HEAD":
            return Answer(int(status), fields, b"")
        n = int(fields["content-length"])
        while len(self.bytes) < n:
            assert self.more(), "an answer is cut short"
        body, self.bytes = self.bytes[:n], self.bytes[n:]
        return Answer(int(status), fields, body)

    def closed(self):
        try:
            return not self.bytes and not self.more()
        except ConnectionResetError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Http(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.holder = ProgramTest()
        cls.holder.setUp()
        cls.port = free_port()
        yaml = cls.holder.write("cluster.yaml", f"model: {MODEL}\ngroups: [{{name: a, role: mixed}}]\n"
                                f'router: {{listen: "127.0.0.1:{cls.port}", control: "127.0.0.1:{free_port()}"}}\n')
        cls.router = cls.holder.start([FERRY, "router", yaml])
        cls.router.wait_for_log("HTTP at")

    @classmethod
    def tearDownClass(cls):
        cls.router.process.terminate()
        assert cls.router.end() == 0, "".join(cls.router.log)
        cls.holder.doCleanups()

    def connect(self):
        connection = Connection(self.port)
        self.addCleanup(connection.socket.close)
        return connection

    def ask(self, data, of="GET"):
        connection = self.connect()
        connection.send(data)
        return connection.answer(of), connection

    def ask_and_end(self, data):
        connection = self.connect()
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_WR)
        return connection.answer(), connection

    def expect_refused(self, data, status):
        """Answered with an error in our shape where it is answered at all, and the connection ends: what follows on it
        could be anything."""
        answer, connection = self.ask(data)
        self.assertIsNotNone(answer, data)
        self.assertEqual(answer.status, status, (data[:120], answer))
        self.assertEqual(set(json.loads(answer.body)["error"]), {"message", "type", "param", "code"})
        self.assertEqual(answer.fields.get("connection"), "close", (data[:120], answer))
        self.assertTrue(connection.closed(), data[:120])

    def expect_served(self, data, of="GET"):
        answer, connection = self.ask(data, of)
        self.assertIsNotNone(answer, data)
        self.assertEqual(answer.status, 200, (data[:120], answer))
        return answer, connection

    # ---- where a body ends

    def test_both_lengths_or_two_that_differ_are_refused(self):
        post = b"POST /tokenize HTTP/1.1\r\nHost: a\r\n"
        self.expect_refused(post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)
        self.expect_refused(post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400)
        self.expect_refused(post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400)
        self.expect_refused(post + b"Content-Length: 5, 6\r\n\r\nabcdef", 400)
        for length in (b"-1", b"+5", b"0x5", b"5 5", b"", b"99999999999999999999999999"):
            self.expect_refused(post + b"Content-Length: " + length + b"\r\n\r\nabcde", 400)

    def test_what_is_no_coding_that_we_know_is_refused(self):
        post = b"POST /tokenize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        for coding in (b"gzip", b"chunked, gzip", b"xchunked", b"chunked, chunked", b"identity"):
            answer, connection = self.ask(post + coding + b"\r\n\r\n0\r\n\r\n")
            self.assertIn(answer.status, (400, 501), (coding, answer))
            self.assertTrue(connection.closed(), coding)

    def test_bad_chunks_are_refused_and_good_ones_read(self):
        post = b"POST /tokenize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunk in (b"x\r\nab\r\n0\r\n\r\n", b"-2\r\nab\r\n0\r\n\r\n", b"2\r\nabc\r\n0\r\n\r\n",
                      b"ffffffffffffffffff\r\nab\r\n0\r\n\r\n", b"\r\nab\r\n0\r\n\r\n", b"0x2\r\nab\r\n0\r\n\r\n"):
            self.expect_refused(post + chunk, 400)
        answer, connection = self.ask_and_end(post + b"2\nab\n0\n\n")  # a line that does not end as lines do is not over
        self.assertTrue(answer is None or answer.status == 400, answer)
        pieces = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in TOKENIZE)
        answer, _ = self.expect_served(post + pieces + b"0\r\n\r\n")
        self.assertGreater(json.loads(answer.body)["count"], 0)
        extended = b"%X;name=value\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(TOKENIZE), TOKENIZE)
        self.expect_served(post + extended)

    def test_a_body_that_is_larger_than_allowed_is_413_however_it_is_sent(self):
        post = b"POST /tokenize HTTP/1.1\r\nHost: a\r\n"
        self.expect_refused(post + b"Content-Length: %d\r\n\r\n" % (9 << 20), 413)
        with Connection(self.port) as connection:
            connection.send(post + b"Transfer-Encoding: chunked\r\n\r\n")
            chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
            try:
                for _ in range(16):
                    connection.send(chunk)
            except OSError:
                pass  # it has heard enough
            try:
                self.assertEqual(connection.answer().status, 413)
            except ConnectionResetError:
                pass  # the answer was lost with what was not read

    # ---- lines and fields

    def test_malformed_lines_and_fields_are_refused(self):
        get = b"GET /health HTTP/1.1\r\nHost: a\r\n"
        answer, connection = self.ask(get + b"X: a\r\n folded\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(answer.status, (200, 400), "obs-fold is one field, or refused")
        if answer.status == 200:
            self.assertEqual(connection.answer().status, 404, "and what follows is the next request")
        answer, _ = self.ask_and_end(b"GET /health HTTP/1.1\nHost: a\n\n")
        self.assertTrue(answer is None or answer.status == 400, "bare LF")
        for data in (get + b"X : a\r\n\r\n", get + b": a\r\n\r\n", get + b"X\r\n\r\n", get + b"X: a\x00b\r\n\r\n",
                     get + b"X: a\rb\r\n\r\n", b"GET  /health HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET /health HTTP/1.1 \r\nHost: a\r\n\r\n", b"GET /hea\x01lth HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"G@T /health HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /health\r\n\r\n", b"GET /health HTTP/1.10\r\nHost: a\r\n\r\n",
                     b"GET /health HTTP/2.0\r\nHost: a\r\n\r\n", b"GET /health http/1.1\r\nHost: a\r\n\r\n"):
            answer, connection = self.ask(data)
            self.assertIn(answer.status, (400, 505), (data, answer))
            self.assertTrue(connection.closed(), data)

    def test_a_host_is_needed_once(self):
        self.expect_refused(b"GET /health HTTP/1.1\r\n\r\n", 400)
        self.expect_refused(b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)
        self.expect_served(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        self.expect_served(b"GET /health HTTP/1.0\r\n\r\n")

    def test_a_header_that_is_too_long_is_431(self):
        self.expect_refused(b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431)
        self.expect_refused(b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 5000 + b"\r\n", 431)

    # ---- methods and targets

    def test_head_is_get_without_the_body(self):
        got, _ = self.expect_served(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        head, connection = self.expect_served(b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
        self.assertEqual(head.fields["content-length"], got.fields["content-length"])
        connection.send(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual(connection.answer().status, 200, "no body stood between them")

    def test_methods_that_a_path_does_not_have_are_405_and_say_which_it_has(self):
        for method in (b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"BREW"):
            answer, _ = self.ask(method + b" /health HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(answer.status, 405, (method, answer))
            self.assertEqual(answer.fields["allow"], "GET, HEAD")
        answer, _ = self.ask(b"GET /v1/completions HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((answer.status, answer.fields["allow"]), (405, "POST"))
        answer, _ = self.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(answer.status, (200, 204, 404, 405))

    def test_targets_are_told_apart(self):
        self.expect_served(b"GET /health?a=b&c HTTP/1.1\r\nHost: a\r\n\r\n")
        self.expect_served(b"GET http://a/health HTTP/1.1\r\nHost: a\r\n\r\n")  # absolute-form has to be understood
        self.expect_served(b"GET http://a:8000/health?x HTTP/1.1\r\nHost: a\r\n\r\n")
        self.expect_served(b"GET /%68ealth HTTP/1.1\r\nHost: a\r\n\r\n")  # an unreserved octet is the same either way
        for target in (b"/nothing", b"/health/", b"//health", b"/Health", b"/v1/models/", b"/%zz", b"/../health", b"/health%00",
                       b"/health%2f"):
            answer, _ = self.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(answer.status, (400, 404), (target, answer))
        name = pathlib.Path(MODEL).stem
        quoted = "".join(f"%{byte:02X}" for byte in name.encode())
        answer, _ = self.expect_served(f"GET /v1/models/{quoted} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self.assertEqual(json.loads(answer.body)["id"], name)

    def test_a_body_of_another_type_is_415(self):
        def post(fields):
            return b"POST /tokenize HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s" % (fields, len(TOKENIZE), TOKENIZE)
        for fields in (b"", b"Content-Type: application/json\r\n", b"content-type: Application/JSON; charset=utf-8\r\n",
                       b"Content-Type: application/x-www-form-urlencoded\r\n"):  # curl -d says so, and means JSON
            self.expect_served(post(fields))
        for kind in (b"text/plain", b"multipart/form-data; boundary=x", b"application/xml"):
            answer, _ = self.ask(post(b"Content-Type: " + kind + b"\r\n"))
            self.assertEqual(answer.status, 415, (kind, answer))
        answer, _ = self.ask(post(b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"))
        self.assertEqual(answer.status, 415, answer)

    # ---- connections

    def test_requests_in_a_row_are_answered_in_order(self):
        name = pathlib.Path(MODEL).stem.encode()
        with Connection(self.port) as connection:
            body = b"POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(TOKENIZE), TOKENIZE)
            connection.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + body + b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
                            b"GET /v1/models/" + name + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual([connection.answer().status for _ in range(4)], [200, 200, 404, 200])
            self.assertTrue(connection.closed())

    def test_connections_stay_or_close_as_asked(self):
        stays = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
        with Connection(self.port) as connection:
            for _ in range(3):
                connection.send(stays)
                self.assertEqual(connection.answer().status, 200)
        for data in (b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"GET /health HTTP/1.0\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: Close, TE\r\n\r\n"):
            answer, connection = self.expect_served(data)
            self.assertTrue(connection.closed(), data)
        _, connection = self.expect_served(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertEqual(connection.answer().status, 200)

    def test_whoever_asks_first_is_told_to_go_on(self):
        head = b"POST /tokenize HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
        with Connection(self.port) as connection:
            connection.send(head + b"%d\r\n\r\n" % len(TOKENIZE))
            self.assertEqual(connection.answer().status, 100)
            connection.send(TOKENIZE)
            self.assertEqual(connection.answer().status, 200)
        self.expect_refused(head + b"%d\r\n\r\n" % (9 << 20), 413)  # not asked to send what is too much
        answer, _ = self.ask(b"POST /tokenize HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(answer.status, 417)
        answer, _ = self.ask(b"POST /tokenize HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s"
                             % (len(TOKENIZE), TOKENIZE))
        self.assertEqual(answer.status, 200, "HTTP/1.0 knows no 100")

    def test_bytes_may_come_one_by_one(self):
        with Connection(self.port) as connection:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = b"POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(TOKENIZE), TOKENIZE)
            for byte in data:
                connection.send(bytes([byte]))
            self.assertEqual(connection.answer().status, 200)

    def test_a_hundred_that_say_nothing_do_not_keep_the_next_one_waiting(self):
        silent = [self.connect() for _ in range(100)]
        for i, connection in enumerate(silent):
            connection.send(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\n"[:i])
        self.expect_served(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")


if __name__ == "__main__":
    main()
