"""What tests of the real program share: where it is, a folder for its files, commands whose output is read as it comes.

Such a test is started as NAME_test.py FERRY MODEL [unittest arguments]. Exit code 77: skipped, with the reason.
"""
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SKIPPED = 77
FERRY, MODEL = map(os.path.abspath, sys.argv[1:3])


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    if not os.path.exists(MODEL):
        skip(f"no demo model at {MODEL}; launch/setup/model fetches it")
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])


def alive(folder):
    """Processes whose command line names this folder: all that a command over its cluster.yaml started."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


class Command:
    """A running command. Every wait has an end, and what it printed until then is part of the complaint."""

    def __init__(self, words, **more):
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.log = []  # lines of stderr, all that came
        self._out, self._err = queue.Queue(), queue.Queue()
        pipes = ((self.process.stdout, self._out), (self.process.stderr, self._err))
        for pipe in pipes:
            threading.Thread(target=self._read, args=pipe, daemon=True).start()

    def _read(self, pipe, lines):
        with pipe:
            for line in pipe:
                if lines is self._err:
                    self.log.append(line)
                lines.put(line)
        lines.put(None)

    def line(self, within_s=60):
        """The next line of stdout; None: it has ended."""
        try:
            return self._out.get(timeout=within_s)
        except queue.Empty:
            raise AssertionError(f"no line for {within_s} s; stderr so far:\n{''.join(self.log)}") from None

    def lines(self, within_s=60):
        return iter(lambda: self.line(within_s), None)

    def wait_for_log(self, text, within_s=60):
        """Until a line of stderr, after those that were waited for before, holds the text."""
        end = time.monotonic() + within_s
        while True:
            try:
                line = self._err.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"never said {text!r}, but:\n{''.join(self.log)}")
            if text in line:
                return line

    def end(self, within_s=30):
        """Its exit code."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {within_s} s; stderr:\n{''.join(self.log)}") from None

    def close(self):
        self.process.kill()
        self.process.wait()


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ferry-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8") if isinstance(text, str) else path.write_bytes(text)
        return str(path)

    def prompts(self, lines, name="prompts.jsonl"):
        return self.write(name, "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))

    def start(self, words, **more):
        command = Command(words, **more)
        self.addCleanup(command.close)
        return command

    def expect_gone(self, path, within_s=5):
        end = time.monotonic() + within_s
        while alive(path) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(alive(path), [])

    def generate(self, lines, *options):
        """What one process answers: the ended command, and its results."""
        ran = subprocess.run([FERRY, "generate", "--model", MODEL, "--prompts", self.prompts(lines), "--json", *options],
                             capture_output=True, text=True, timeout=120, check=False)
        return ran, [json.loads(line) for line in ran.stdout.splitlines()]
