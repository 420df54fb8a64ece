"""Several hosts on this machine: tests/lanes/netns-cluster, for as long as a test needs it."""
import os
import pathlib
import shutil
import subprocess
import sys

SCRIPT = str(pathlib.Path(__file__).resolve().parents[1] / "lanes" / "netns-cluster")
# Without being root, one can be root of a namespace of users, where the kernel allows it.
OWN_ROOT = ["unshare", "--user", "--map-root-user", "--mount"]


class Hosts:
    """head, nodeA, nodeB, … They and all that runs there are gone when this is closed or this process dies."""

    def __init__(self, n, folder):
        self.environment = {**os.environ, "NETNS_CLUSTER": str(folder)}
        self.holder = subprocess.Popen([SCRIPT, "hold", str(n)], env=self.environment, text=True, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if not self.holder.stdout.readline().startswith("up:"):
            raise RuntimeError(self.holder.communicate()[1].strip())

    def on(self, node, *command):
        """The words of a command that runs there."""
        return ["env", "NETNS_CLUSTER=" + self.environment["NETNS_CLUSTER"], SCRIPT, "exec", node, *command]

    def do(self, *words):
        """kill, start, link, cut, heal, rate: see netns-cluster."""
        subprocess.run([SCRIPT, *words], env=self.environment, check=True, timeout=30)

    def close(self):
        with self.holder:
            self.holder.stdin.close()
            self.holder.wait(30)


def become_root():
    """Starts this program again as root of a namespace of users, unless it is root; returns why that is not possible."""
    if os.geteuid() == 0:
        return None
    if not shutil.which("unshare") or subprocess.run(OWN_ROOT + ["true"], capture_output=True, check=False).returncode != 0:
        return "hosts need root, or user namespaces (sysctl kernel.unprivileged_userns_clone)"
    sys.stdout.flush()
    os.execvp(OWN_ROOT[0], OWN_ROOT + [sys.executable, *sys.argv])


def missing(folder):
    """Why this machine cannot have hosts; None: it can."""
    for tool in ("unshare", "nsenter", "ip", "tc", "mpirun"):
        if not shutil.which(tool):
            return f"{tool} is missing; launch/setup/packages lanes"
    why = become_root()
    if why:
        return why
    try:
        Hosts(1, folder).close()
    except RuntimeError as error:
        return f"this machine does not let us make hosts: {error}"
    return None
