"""A real Slurm over the hosts of tests/lanes/netns-cluster: munge and slurmctld on head, a slurmd on each node."""
import os
import pathlib
import re
import shutil
import subprocess
import time

from support.hosts import Hosts
from support.program import Command

PROGRAMS = ("setpriv", "munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")
# What hosts would share, they share here: a folder, and the key in it. What is of each, %n keeps apart.
CONF = """ClusterName=test
SlurmctldHost=head
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
TmpFS={folder}/tmp-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={nodes} {machine}
PartitionName=all Nodes=ALL Default=YES
"""
# Where hosts have no cgroups; slurmd wants to know which kind it does not use.
CGROUP_CONF = "CgroupPlugin=cgroup/v1\n"


def missing():
    """Why this machine cannot run a Slurm; None: it can."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    lacking = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if lacking:
        return f"{', '.join(lacking)}: missing; launch/setup/packages lanes"
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    if os.cpu_count() < 2:
        return "a node of the job has two ranks, each with a core"
    return None


class Slurm:
    """With its daemons, which are gone when `close` was called or this process dies. `folder`: one of its own."""

    def __init__(self, folder, n_nodes):
        self.folder, self.daemons = pathlib.Path(folder), []
        self.folder.mkdir()
        self.hosts = Hosts(n_nodes, self.folder / "hosts")
        nodes = [f"node{letter}" for letter in "ABCDEFGH"[:n_nodes]]
        for name in ("state", *(f"{kind}-{node}" for kind in ("spool", "tmp") for node in nodes)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        machine = subprocess.run(["env", self._path(), "slurmd", "-C"], capture_output=True, text=True, check=True).stdout
        self.conf = self.folder / "slurm.conf"
        self.conf.write_text(CONF.format(folder=self.folder, nodes=",".join(nodes),
                                         machine=re.search("NodeName=\\S+ (.*)", machine)[1]))
        (self.folder / "cgroup.conf").write_text(CGROUP_CONF)
        # --force: the test's folder is its owner's alone, and so are all who talk to it.
        self._daemon("head", "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                     *(f"--{name}-file={self.folder}/munge.{name}" for name in ("pid", "log", "seed")))
        self._daemon("head", "slurmctld", "-D", "-f", str(self.conf))
        self._until(lambda: self.ran("scontrol", "ping").returncode == 0)
        for node in nodes:
            self._daemon(node, "slurmd", "-D", "-f", str(self.conf))
        self._until(lambda: self.ran("sinfo", "-h", "-o", "%D %T").stdout.split() == [str(n_nodes), "idle"])

    def on_head(self, *command, **variables):
        """The words of a command there, whose environment has nothing of the machine's or the hosts'."""
        plain = {"HOME": str(self.folder), "SLURM_CONF": str(self.conf), **variables}
        return self.hosts.on("head", "env", "-i", self._path(), *(f"{k}={v}" for k, v in plain.items()), *command)

    def ran(self, *command, **variables):
        return subprocess.run(self.on_head(*command, **variables), cwd=self.folder, capture_output=True, text=True,
                              check=False, timeout=300)

    def submit(self, *words, **variables):
        """The id of a job."""
        ran = self.ran("sbatch", "--parsable", *words, **variables)
        if ran.returncode != 0:
            raise AssertionError(ran.stderr)
        return ran.stdout.strip()

    def end_of(self, job, within_s=120):
        """State and exit code of a job of which nothing runs any more."""
        shown = ""

        def ended():
            nonlocal shown
            shown = self.ran("scontrol", "--oneliner", "show", "job", job).stdout
            return not re.search("JobState=(PENDING|RUNNING|COMPLETING|CONFIGURING)", shown) and \
                not self.ran("squeue", "-h", "-j", job).stdout
        self._until(ended, within_s)
        return re.search(r"JobState=(\S+)", shown)[1], int(re.search(r" ExitCode=(\d+):", shown)[1])

    def close(self):
        for daemon in self.daemons:
            daemon.close()
        self.hosts.close()

    @staticmethod
    def _path():
        return f"PATH={os.environ['PATH']}:/usr/sbin:/sbin"

    def _daemon(self, node, *command):
        # head has no process namespace that would take it along when this process dies.
        dies_along = ["setpriv", "--pdeathsig", "KILL"] if node == "head" else []
        words = self.hosts.on(node, *dies_along, "env", self._path(), *command)
        self.daemons.append(Command(words, cwd=self.folder))

    def _until(self, holds, within_s=60):
        end = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > end:
                self.close()
                raise AssertionError("Slurm's daemons said:\n" + "".join(line for d in self.daemons for line in d.log))
            time.sleep(0.1)
