#!/usr/bin/env python3
"""`ferry up` as its users see it: through OpenAI's own client, through plain sockets, and with clients that go away.

   serve_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import concurrent.futures
import json
import os
import pathlib
import random
import select
import signal
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "build" / "python")]
import deployment  # noqa: E402
from cluster import ranks_of  # noqa: E402
from program import FERRY, MODEL, ProgramTest, main, skip  # noqa: E402

try:
    import openai
except ImportError:
    skip("no `openai` package; launch/setup/python fetches it")

NAME = pathlib.Path(MODEL).stem
GOLDEN = [json.loads(line) for line in (ROOT / "tests/data/golden-smollm2-135m-q4_1.jsonl").read_text().splitlines()]


class Deployment(deployment.Deployment):
    def __init__(self, test, more=""):
        super().__init__(test, more)
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0, timeout=300)


class Serve(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.holder = ProgramTest()
        cls.holder.setUp()
        cls.ferry = Deployment(cls.holder, "deadline_ms: 300000\n")  # tests share two cores with others
        cls.client = cls.ferry.client

    @classmethod
    def tearDownClass(cls):
        cls.holder.doCleanups()

    def chat(self, text, **more):
        return self.client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": text}], **more)

    def test_golden_answers_come_out_exactly_of_32_mixed_requests_at_a_time(self):
        def answer(case, stream):
            options = {"model": NAME, "max_tokens": case["max_tokens"], "temperature": 0, "stream": stream}
            if case["kind"] == "chat":
                got = self.client.chat.completions.create(messages=case["messages"], **options)
                if not stream:
                    return got.choices[0].message.content, got.choices[0].finish_reason
                chunks = [c.choices[0] for c in got]
                return "".join(c.delta.content or "" for c in chunks), chunks[-1].finish_reason
            got = self.client.completions.create(prompt=case.get("prompt") or case["prompt_ids"], **options)
            chunks = [c.choices[0] for c in got] if stream else [got.choices[0]]
            return "".join(c.text for c in chunks), chunks[-1].finish_reason

        cases = [c for c in GOLDEN if not c["near_tie"]] * 2
        random.Random(5).shuffle(cases)
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(answer, cases, [i % 2 == 0 for i in range(len(cases))]))
        for case, (text, reason) in zip(cases, answers):
            self.assertEqual((text, reason), (case["text"], case["finish_reason"]), case["id"])

    def test_usage_and_the_time_to_the_first_token_are_told(self):
        stream = self.chat("Count to three.", max_tokens=4, stream=True, stream_options={"include_usage": True})
        last = list(stream)[-1]
        self.assertEqual(last.choices, [])
        self.assertEqual(last.usage.completion_tokens, 4)
        self.assertEqual(last.usage.total_tokens, last.usage.prompt_tokens + 4)
        self.assertGreater(last.usage.ms["ttft"], 0)
        self.assertEqual(last.usage.route["decode"], "decode-0")
        again = self.chat("Count to three.", max_tokens=4)
        self.assertGreaterEqual(again.usage.prompt_tokens_details.cached_tokens, 0)

    def test_logprobs_choices_stops_and_seeds(self):
        got = self.chat("Hello", max_tokens=3, temperature=0, logprobs=True, top_logprobs=2).choices[0]
        self.assertEqual(len(got.logprobs.content), 3)
        self.assertEqual("".join(t.token for t in got.logprobs.content), got.message.content)
        self.assertEqual(len(got.logprobs.content[0].top_logprobs), 2)
        self.assertLessEqual(got.logprobs.content[0].logprob, 0)
        text = self.client.completions.create(model=NAME, prompt="1, 2, 3,", max_tokens=6, temperature=0, logprobs=2)
        self.assertEqual("".join(text.choices[0].logprobs.tokens), text.choices[0].text)
        several = [self.chat("Tell me a story", max_tokens=8, n=3, seed=7, temperature=1) for _ in range(2)]
        self.assertEqual(*[[c.message.content for c in answer.choices] for answer in several])
        self.assertGreater(len({c.message.content for c in several[0].choices}), 1)
        stopped = self.client.completions.create(model=NAME, prompt="1, 2, 3, 4, 5, 6, 7,", max_tokens=60, temperature=0,
                                                 stop=[", 11"])
        self.assertEqual((stopped.choices[0].text, stopped.choices[0].finish_reason), (" 8, 9, 10", "stop"))
        echoed = self.client.completions.create(model=NAME, prompt=["The sea", "A boat"], max_tokens=1, echo=True)
        self.assertTrue(echoed.choices[0].text.startswith("The sea"))
        self.assertTrue(echoed.choices[1].text.startswith("A boat"))

    def test_a_text_is_scored_without_an_answer(self):
        said = self.client.completions.create(model=NAME, prompt="1, 2, 3,", max_tokens=6, temperature=0, logprobs=2)
        text = "1, 2, 3," + said.choices[0].text
        for prompt in (text, text):  # the second time it could be found in a cache
            scored = self.client.completions.create(model=NAME, prompt=prompt, max_tokens=0, echo=True, logprobs=2)
            choice = scored.choices[0]
            self.assertEqual((choice.text, choice.finish_reason, scored.usage.completion_tokens), (text, "length", 0))
            logprobs = choice.logprobs
            self.assertIsNone(logprobs.token_logprobs[0])
            self.assertEqual("".join(logprobs.tokens), text)
            for token, offset in zip(logprobs.tokens, logprobs.text_offset):
                self.assertEqual(text[offset:offset + len(token)], token)
            for new, old in zip(logprobs.token_logprobs[-6:], said.choices[0].logprobs.token_logprobs):
                self.assertAlmostEqual(new, old, places=2)
        both = self.client.completions.create(model=NAME, prompt="The sea", max_tokens=2, echo=True, logprobs=0, stream=True)
        pieces = [choice for chunk in both for choice in chunk.choices]
        self.assertTrue("".join(piece.text for piece in pieces).startswith("The sea"))
        n_scored = sum(len(piece.logprobs.tokens) for piece in pieces if piece.logprobs)
        self.assertEqual(n_scored, 2 + len(json.loads(self.ferry.post("/tokenize", {"prompt": "The sea"})[1])["tokens"]))
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.completions.create(model=NAME, prompt="a", max_tokens=0)
        self.assertEqual(caught.exception.param, "max_tokens")

    def test_penalties_biases_and_a_least_number_of_tokens(self):
        plain = self.client.completions.create(model=NAME, prompt="1, 2, 3, 4,", max_tokens=12, temperature=0)
        other = self.client.completions.create(model=NAME, prompt="1, 2, 3, 4,", max_tokens=12, temperature=0,
                                               frequency_penalty=2, presence_penalty=2)
        self.assertNotEqual(plain.choices[0].text, other.choices[0].text)
        comma = json.loads(self.ferry.post("/tokenize", {"prompt": ","})[1])["tokens"][-1]
        barred = self.client.completions.create(model=NAME, prompt="1, 2, 3, 4,", max_tokens=12, temperature=0,
                                                logit_bias={str(comma): -100})
        self.assertNotIn(",", barred.choices[0].text)
        case = next(c for c in GOLDEN if c["id"] == "raw-capital")  # ends after 30 tokens by itself
        long = self.client.completions.create(model=NAME, prompt=case["prompt"], max_tokens=40, temperature=0,
                                              extra_body={"min_tokens": 35})
        self.assertGreaterEqual(long.usage.completion_tokens, 35)

    def test_errors_are_those_of_the_official_client(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.completions.create(model="gpt-none", prompt="a")
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat("a", max_tokens=-1)
        self.assertEqual(caught.exception.param, "max_tokens")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.completions.create(model=NAME, prompt="a " * 20000)
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat("a", tools=[{"type": "function", "function": {"name": "f"}}])
        self.assertEqual(caught.exception.param, "tools")
        self.assertTrue(caught.exception.response.headers["x-request-id"].startswith("req-"))

    def test_what_is_no_request_is_answered_or_cut_off_and_hurts_nobody(self):
        post = "POST /v1/completions HTTP/1.1\r\nHost: a\r\n"
        for body in (b"", b"{", b"[]", b"null", b'{"prompt":NaN}', b'{"prompt":"\xff"}', b'{"prompt":"\\ud800"}',
                     b"[" * 100000, b'{"prompt":"a","prompt":"b"}', b'{"prompt":"a","max_tokens":-1}',
                     b'{"prompt":"a","max_tokens":1e999}', json.dumps({"prompt": "a", "stop": "b" * 2**20}).encode(),
                     json.dumps({"prompt": "a", "n": 10**9}).encode(), b'{"prompt":[99999999]}', b'{"prompt":""}'):
            status, answer = self.ferry.post("/v1/completions", body)
            self.assertEqual(status, 400, body[:60])
            error = json.loads(answer)["error"]
            self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertEqual(self.ferry.post("/v1/nothing", {})[0], 404)
        self.assertEqual(self.ferry.post("/health", {})[0], 405)
        self.assertIn(b" 413 ", self.ferry.raw((post + f"Content-Length: {50 << 20}\r\n\r\n").encode()).splitlines()[0])
        self.assertIn(b" 431 ", self.ferry.raw((post + "X: " + "a" * 65536 + "\r\n\r\n").encode()).splitlines()[0])
        self.assertIn(b" 400 ", self.ferry.raw(b"\x16\x03\x01 nonsense\r\n\r\n").splitlines()[0])
        self.assertIn(b" 400 ", self.ferry.raw((post + "Content-Length: -5\r\n\r\n").encode()).splitlines()[0])
        self.ferry.raw((post + "Content-Length: 100\r\n\r\n{").encode(), half_close=True)
        pipelined = self.ferry.raw(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"garbage\r\n\r\n")
        self.assertEqual(pipelined.count(b"200 OK"), 3)
        self.assertEqual(self.chat("Hello", max_tokens=1).usage.completion_tokens, 1)

    def test_a_client_that_goes_away_frees_the_pages_of_both_groups(self):
        for wait_for_tokens in (0, 3):
            stream = self.chat("Tell me a very long story.", max_tokens=1500, stream=True,
                               extra_body={"ignore_eos": True})
            for _ in range(wait_for_tokens):
                next(stream)
            stream.close()
        with socket.create_connection(("127.0.0.1", self.ferry.port)) as s:  # while its prompt is computed, or moves
            body = json.dumps({"prompt": "a b c " * 300, "max_tokens": 500, "ignore_eos": True}).encode()
            s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.ferry.wait_until_free()
        self.assertIn('ferry_requests{state="served"} 0', self.ferry.get("/metrics"))

    def test_operators_see_what_happens(self):
        answer = self.client.chat.completions.with_raw_response.create(
            model=NAME, messages=[{"role": "user", "content": "Hi"}], max_tokens=2)
        record = json.loads(self.ferry.get("/debug/requests/" + answer.headers["x-request-id"]))
        self.assertEqual((record["end"], record["completion_tokens"]), ("finished", 2))
        self.assertEqual(record["timeline"][0]["part"], "queue")
        self.assertEqual(json.loads(self.ferry.get("/ready"))["status"], "ready")
        self.assertEqual([m.id for m in self.client.models.list()], [NAME])
        self.assertEqual(self.client.models.retrieve(NAME).id, NAME)
        metrics = self.ferry.get("/metrics")
        for name in ("time_to_first_token_seconds_count", "inter_token_latency_seconds_bucket", "pages{", "path_bandwidth_bytes_per_second{"):
            self.assertIn("ferry_" + name, metrics)
        self.assertIn("/v1/chat/completions", json.loads(self.ferry.get("/openapi.json"))["paths"])
        ids = json.loads(self.ferry.post("/tokenize", {"prompt": "A ferry"})[1])["tokens"]
        self.assertEqual(json.loads(self.ferry.post("/detokenize", {"tokens": ids})[1])["prompt"], "A ferry")


class Limits(ProgramTest):
    def test_too_many_are_told_to_come_again_and_late_ones_that_they_are_late(self):
        ferry = Deployment(self, "scheduling: {max_sequences: 1}\ndeadline_ms: 1500\n")
        ask = {"prompt": "Once", "max_tokens": 2000, "ignore_eos": True}
        self.assertEqual(ferry.post("/v1/completions", ask)[0], 408)
        ferry.wait_until_free()

    def test_a_full_queue_is_429_with_retry_after(self):
        ferry = Deployment(self, "scheduling: {max_sequences: 1}\n")
        ferry.stop()
        text = pathlib.Path(ferry.yaml).read_text().replace("router: {", "router: {max_queued: 1, ")
        pathlib.Path(ferry.yaml).write_text(text)
        ferry.command = self.start([FERRY, "up", ferry.yaml])
        ferry.wait_for(lambda: any("→ decode-0 is ready" in line for line in ferry.command.log), "ready again")
        body = json.dumps({"prompt": "Once", "max_tokens": 1500, "ignore_eos": True}).encode()
        ask = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        clients = [socket.create_connection(("127.0.0.1", ferry.port), timeout=30) for _ in range(4)]
        for client in clients:  # one is served, one waits
            client.sendall(ask)
        refused = [c for c in select.select(clients, [], [], 30)[0] if b" 429 " in c.recv(65536).split(b"\r\n")[0]]
        self.assertGreater(len(refused), 0)
        for client in clients:
            client.close()
        ferry.wait_until_free()
        with self.assertRaises(openai.RateLimitError) as caught:
            ferry.client.completions.create(model=NAME, prompt=["Once"] * 8, max_tokens=500)
        self.assertGreaterEqual(int(caught.exception.response.headers["retry-after"]), 1)

    def test_a_group_that_is_killed_comes_back_and_ctrl_c_ends_everything(self):
        ferry = Deployment(self)
        os.kill(ranks_of(self.folder, "prefill-0")[0], signal.SIGKILL)
        got = ferry.client.completions.create(model=NAME, prompt="The capital of France is", max_tokens=4, temperature=0)
        self.assertTrue(got.choices[0].text.startswith(" Paris"))
        ferry.wait_for(lambda: sum("prefill-0 → decode-0 is ready" in line for line in ferry.command.log) == 2, "it is back")
        stream = ferry.client.completions.create(model=NAME, prompt="Once", max_tokens=1500, stream=True,
                                                 extra_body={"ignore_eos": True})
        next(stream)  # it is cut off: nobody waits for long answers
        self.assertEqual(ferry.stop(), 0)
        self.assertNotIn("Caught signal", "".join(ferry.command.log))
        self.expect_gone(self.folder)


if __name__ == "__main__":
    main()
