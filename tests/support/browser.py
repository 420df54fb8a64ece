"""A headless Chromium, driven through chromedriver by the WebDriver protocol: no Python package is needed."""
import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")


def missing():
    """Why there is no browser; None: there is one."""
    return None if CHROMIUM and DRIVER else "no chromium with chromedriver; launch/setup/packages browser installs them"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Browser:
    def __init__(self, width=1280, height=900):
        self._folder = tempfile.TemporaryDirectory(prefix="ferry-browser-")
        self._url = f"http://127.0.0.1:{free_port()}"
        self._driver = subprocess.Popen([DRIVER, f"--port={self._url.rsplit(':', 1)[1]}"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        options = {"binary": CHROMIUM, "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                                "--hide-scrollbars",  # else they count as width, and shots lack it
                                                f"--user-data-dir={self._folder.name}", f"--window-size={width},{height}"]}
        want = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}}
        self._session = f"/session/{self._when_up(want)['sessionId']}"
        self.resize(width, height)

    def _when_up(self, want, within_s=60):
        end = time.monotonic() + within_s
        while True:
            try:
                return self._ask("POST", "/session", want)
            except urllib.error.URLError:
                if isinstance(self._driver.poll(), int) or time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(self._url + path, None if body is None else json.dumps(body).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{path}: {e.read().decode()[:500]}") from None

    def close(self):
        try:
            self._ask("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait()
            self._folder.cleanup()

    def open(self, url):
        self._ask("POST", self._session + "/url", {"url": url})

    def run(self, script, *arguments):
        """What the function body `script` returns."""
        return self._ask("POST", self._session + "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, condition, within_s=60):
        """Until the JavaScript expression is true."""
        end = time.monotonic() + within_s
        while not self.run(f"return Boolean({condition})"):
            if time.monotonic() > end:
                raise AssertionError(f"never: {condition}\n{self.run('return document.body.innerText')}\n{self.complaints()}")
            time.sleep(0.05)

    def complaints(self):
        """Of the browser about the page, since the last call."""
        return [entry["message"] for entry in self._ask("POST", self._session + "/se/log", {"type": "browser"})]

    def command(self, name, **parameters):
        return self._ask("POST", self._session + "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def resize(self, width, height):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=width < 600)

    def prefer(self, scheme):
        """'light' or 'dark'."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        """Of the whole page, however long."""
        png = self.command("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(png))
