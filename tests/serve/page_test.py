#!/usr/bin/env python3
"""GET / in a real browser, over a cluster at work.

   page_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import threading
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support")]
from browser import Browser, missing  # noqa: E402
from cluster import free_port, ranks_of  # noqa: E402
from deployment import Deployment  # noqa: E402
from program import FERRY, MODEL, ProgramTest, alive, main, skip  # noqa: E402

if missing():
    skip(missing())

SHOTS = os.environ.get("FERRY_SCREENSHOTS")  # a folder, for those who want to look


class Page(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.holder = ProgramTest()
        cls.holder.setUp()
        cls.ferry = Deployment(cls.holder, "deadline_ms: 300000\n")
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.holder.doCleanups()

    def setUp(self):
        super().setUp()
        self.browser.resize(1280, 900)
        self.browser.open(self.ferry.url + "/")
        self.browser.wait_for("document.getElementById('state').className == 'live'")

    def shoot(self, name):
        if SHOTS:
            self.browser.screenshot(f"{SHOTS}/{name}.png")

    def text(self, selector):
        return self.browser.run("return document.querySelector(arguments[0])?.innerText", selector)

    def load(self, n, max_tokens):
        """So many answers at a time, until the event is set."""
        stop, pool = threading.Event(), concurrent.futures.ThreadPoolExecutor(n)

        def ask(i):
            while not stop.is_set():
                ask = {"prompt": f"{i}: a long story. " * (1 + 4 * i), "max_tokens": max_tokens, "ignore_eos": True}
                self.assertEqual(self.ferry.post("/v1/completions", ask)[0], 200)

        answers = [pool.submit(ask, i) for i in range(n)]

        def end():
            stop.set()
            for answer in answers:
                answer.result()
            pool.shutdown()
        return end

    def test_groups_paths_requests_and_latencies_are_there_while_it_works(self):
        end = self.load(6, 32)
        try:
            self.browser.wait_for("document.querySelectorAll('[data-request]').length >= 4")
            self.browser.wait_for("document.querySelector('[data-stage=decoding]')")
            self.browser.wait_for("document.querySelectorAll('[data-ended]').length >= 4")
            self.browser.wait_for("parseFloat(document.querySelector('[data-figure=Tokens] dd').innerText) > 0")
            self.browser.wait_for("parseFloat(document.querySelector('[data-group=decode-0] .leased').style.width) > 0")
            self.browser.wait_for("document.querySelector('#wires .flow')")
            groups = self.browser.run("return [...document.querySelectorAll('[data-group]')].map(e => [e.dataset.group, e.dataset.state])")
            self.assertEqual(sorted(groups), [["decode-0", "ready"], ["prefill-0", "ready"], ["prefill-1", "ready"]])
            self.assertRegex(self.text("[data-path='prefill-0 → decode-0']"), r"(shm|tcp) · [\d.]+ GB/s · [\d.]+ µs")
            for kind in ("ttft", "itl", "e2e"):
                self.assertRegex(self.text(f"[data-latency={kind}]"), r"p50\s*[\d.]+ m?s")
            self.assertRegex(self.text("[data-ended] .route"), r"first token [\d.]+ m?s")
            self.shoot("busy")
            self.browser.prefer("dark")
            self.shoot("busy-dark")
            self.browser.prefer("light")
        finally:
            end()
        self.browser.wait_for("document.querySelector('#flight .empty')")
        self.assertEqual(self.browser.complaints(), [])

    def test_it_fits_a_phone_and_a_desk(self):
        for width in (360, 390, 768, 1280):
            self.browser.resize(width, 900)
            wide = self.browser.run("return document.documentElement.scrollWidth")
            self.assertLessEqual(wide, width)
        self.browser.resize(390, 900)
        self.shoot("phone")

    def test_what_is_drawn_is_said_as_well(self):
        bare = self.browser.run("""return [...document.querySelectorAll('[role=img], ul, ol, section')]
            .filter(e => !e.ariaLabel && !e.getAttribute('aria-labelledby') && !e.querySelector('h3') && !e.hidden).map(e => e.outerHTML)""")
        self.assertEqual(bare, [])
        self.assertEqual(self.browser.run("return [document.documentElement.lang, document.querySelectorAll('h1').length]"), ["en", 1])

    def test_it_asks_nobody_else_for_anything(self):
        names = self.browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(names)
        self.assertEqual([n for n in names if not n.startswith(self.ferry.url)], [])
        with urllib.request.urlopen(self.ferry.url + "/") as answer:
            self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])

    def test_names_of_others_are_text_and_scripts_of_others_do_not_run(self):
        self.browser.run("""const real = window.fetch;
            window.fetch = async (...words) => {
              const text = await (await real(...words)).text();
              return new Response(text.replaceAll("prefill-1", "<img src=x onerror=alert(1)>"));
            };""")
        self.browser.wait_for("[...document.querySelectorAll('h3 .name')].some(e => e.textContent.startsWith('<img'))")
        self.assertEqual(self.browser.run("return document.querySelectorAll('main img').length"), 0)
        self.assertEqual(self.browser.complaints(), [])
        self.browser.run("""const script = document.createElement('script');
            script.textContent = 'document.title = "stolen"'; document.body.append(script);""")
        self.assertNotEqual(self.browser.run("return document.title"), "stolen")
        self.assertIn("Content Security Policy", "".join(self.browser.complaints()))


class Mishaps(ProgramTest):
    def setUp(self):
        super().setUp()
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def shoot(self, name):
        if SHOTS:
            self.browser.screenshot(f"{SHOTS}/{name}.png")

    def router_alone(self, more=""):
        """The URL of one whose groups do not come."""
        port = free_port()
        yaml = self.write("cluster.yaml", f"""model: {MODEL}
groups: [{{name: prefill-0, role: prefill}}, {{name: decode-0, role: decode}}]
router: {{{more}listen: "127.0.0.1:{port}", control: "127.0.0.1:{free_port()}"}}
""")
        self.start([FERRY, "router", yaml]).wait_for_log("HTTP at")
        return f"http://127.0.0.1:{port}/"

    def type_key(self, key):
        self.browser.wait_for("!document.getElementById('key').hidden")
        self.browser.run("""document.getElementById('key-value').value = arguments[0];
            document.querySelector('#key form').requestSubmit();""", key)

    def router(self):
        return next(pid for pid in alive(self.folder)
                    if b"router" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))

    def test_a_group_that_stands_still_and_a_router_that_is_gone_are_seen_and_their_return_too(self):
        ferry = Deployment(self)
        self.browser.open(ferry.url + "/")
        self.browser.wait_for("document.querySelector('[data-group=prefill-0][data-state=ready]')")
        router = self.router()
        os.kill(router, signal.SIGSTOP)
        self.browser.wait_for("document.getElementById('state').className == 'gone'")
        self.browser.wait_for("getComputedStyle(document.getElementById('gone')).display != 'none'")
        self.assertIn("The router does not answer since", self.browser.run("return document.getElementById('gone').innerText"))
        self.shoot("router-gone")
        os.kill(router, signal.SIGCONT)
        self.browser.wait_for("document.getElementById('state').className == 'live'")
        self.browser.wait_for("document.getElementById('gone').hidden")
        os.kill(ranks_of(self.folder, "prefill-1")[0], signal.SIGKILL)
        self.browser.wait_for("document.querySelector('[data-group=prefill-1][data-state=absent]')")
        self.browser.wait_for("document.querySelector('[data-group=prefill-1][data-state=ready]')")

    def test_without_groups_it_says_how_to_start_some(self):
        self.browser.open(self.router_alone())
        self.browser.wait_for("!document.getElementById('no-groups').hidden")
        self.browser.wait_for("document.querySelector('[data-group=decode-0][data-state=absent]')")
        self.shoot("no-groups")

    def test_a_cluster_that_wants_a_key_is_seen_with_one_only(self):
        key = subprocess.run([FERRY, "keys", "add", str(self.folder / "keys"), "alice"], capture_output=True, text=True,
                             check=True, timeout=60).stdout.strip()
        self.browser.open(self.router_alone("keys: keys, "))
        self.browser.wait_for("!document.getElementById('key').hidden")
        self.assertEqual(self.browser.run("return document.getElementById('cluster').hidden"), True)
        self.shoot("key")
        self.type_key("no key at all")
        self.browser.wait_for("document.getElementById('key-why').innerText.startsWith('The key was not accepted')")
        self.browser.run("document.getElementById('key-why').innerText = ''")
        self.type_key("wrong")
        self.browser.wait_for("document.getElementById('key-why').innerText.startsWith('The key was not accepted')")
        self.type_key(key)
        self.browser.wait_for("document.querySelector('[data-group=decode-0]')")
        self.assertEqual(self.browser.run("return [sessionStorage.length, localStorage.length]"), [1, 0])


if __name__ == "__main__":
    main()
