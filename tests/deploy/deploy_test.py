#!/usr/bin/env python3
"""The files that deploy Ferry are what their readers take: systemd, Kubernetes, Slurm's shell, and ferry itself.

   deploy_test.py FERRY MODEL [unittest arguments]         exit code 77: skipped, with the reason
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "build" / "python")]
from cluster import free_port  # noqa: E402
from program import FERRY, MODEL, ProgramTest, main, skip  # noqa: E402

try:
    import yaml
except ImportError:
    skip("no PyYAML; launch/setup/python fetches it")

KUBERNETES = ROOT / "launch/kubernetes"
USAGE = 2  # exit code of ferry for what it does not understand
NOT_FERRY = ("useradd", "install", "systemctl", "journalctl", "docker", "kubectl")  # commands that have the word among theirs
# Starts its ranks here, as Slurm would there.
SRUN = """n=1
while [[ $1 == -* ]]; do [[ $1 == --ntasks=* ]] && n=${1#--ntasks=}; shift; done
[[ $2 == router ]] && exec "$@"
((EUID == 0)) && root=--allow-run-as-root
exec mpirun $root --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n "$n" "$@"
"""


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def values(tree, key):
    """Of every mapping in the tree that has the key."""
    found = [tree[key]] if isinstance(tree, dict) and key in tree else []
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []:
        found += values(part, key)
    return found


def ferry_words(line):
    """The ferry commands of a shell line, each as its words after `ferry`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands, words = [], []
    for word in [*lexer, ";"]:
        if set(word) <= set(";&|()<>"):
            commands.append(words)
            words = []
        else:
            words.append(word)
    names = ("ferry", "/usr/local/bin/ferry", "$FERRY")
    return [words[next(i for i, w in enumerate(words) if w in names) + 1:]
            for words in commands if words and any(w in names for w in words) and words[0] not in NOT_FERRY]


class Deploy(ProgramTest):
    def expect_understood(self, words):
        """Run where none of its files are: it may say that they are missing, but not that it does not understand."""
        self.assertNotIn(words, ([], ["-"]))
        ran = subprocess.run([FERRY, *words], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)
        self.assertNotEqual(ran.returncode, USAGE, (words, ran.stderr))
        self.assertIn(ran.returncode, (0, 1), (words, ran.stderr))

    def test_ferry_understands_every_command_of_the_guide(self):
        blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.S)
        lines = "".join(blocks).replace("\\\n", " ").splitlines()
        commands = [words for line in lines for words in ferry_words(line.split(" #")[0])]
        self.assertGreater(len(commands), 8, commands)
        for words in commands:
            self.expect_understood(words)

    def test_systemd_takes_the_unit_and_ferry_its_commands(self):
        unit = (ROOT / "launch/systemd/ferry.service").read_text()
        commands = re.findall(r"^Exec\w+=/usr/local/bin/ferry (.*)$", unit, re.M)
        self.assertEqual(len(commands), 2)
        for command in commands:
            self.expect_understood(command.split())
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze; the commands were checked")
        path = self.write("ferry.service", unit.replace("/usr/local/bin/ferry", FERRY))
        ran = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False, timeout=60)
        said = [line for line in ran.stderr.splitlines() if "ferry.service" in line]
        self.assertEqual((said, ran.returncode), ([], 0), ran.stderr)

    def test_ferry_understands_what_the_image_runs(self):
        image = (ROOT / "launch/container/Containerfile").read_text()
        self.assertIn('ENTRYPOINT ["ferry"]', image)
        self.expect_understood(re.findall(r'"([^"]+)"', re.search(r"^CMD (.*)$", image, re.M)[1]))
        for folder in re.findall(r"^COPY (\S+) \1$", image, re.M):
            self.assertTrue((ROOT / folder).is_dir(), folder)

    def test_the_pods_run_what_ferry_understands_with_what_is_there(self):
        top = documents(KUBERNETES / "kustomization.yaml")[0]
        resources = [d for name in top["resources"] for d in documents(KUBERNETES / name)]
        generated = {g["name"] for kind in ("configMapGenerator", "secretGenerator") for g in top[kind]}
        claims = {d["metadata"]["name"] for d in resources if d["kind"] == "PersistentVolumeClaim"}
        services = {d["metadata"]["name"] for d in resources if d["kind"] == "Service"}
        used = {v["name"] for v in values(resources, "configMap")} | set(values(resources, "secretName"))
        self.assertLessEqual(used | {v["name"] for v in values(resources, "secretKeyRef")}, generated)
        self.assertLessEqual(set(values(resources, "claimName")), claims)
        self.assertLessEqual(set(values(resources, "serviceName")), services)
        pods = [d["spec"]["template"]["spec"] for d in resources if d["kind"] in ("Deployment", "StatefulSet")]
        self.assertEqual(len(pods), 3)
        for pod in pods:
            volumes = {v["name"] for v in pod["volumes"]}
            self.assertLessEqual({m["name"] for mounts in values(pod, "volumeMounts") for m in mounts}, volumes)
            args = pod["containers"][0]["args"]
            self.expect_understood(args[1:] if args[0] == "ferry" else args)
            for hook in values(pod, "preStop"):
                for words in ferry_words(hook["exec"]["command"][-1].replace("$POD_NAME", "prefill-0")):
                    self.expect_understood(words)
                    self.assertIn(re.search(r"//([^:]+)", words[-1])[1], services)

    def test_the_groups_of_the_pods_are_those_of_their_cluster(self):
        text = (KUBERNETES / "cluster.yaml").read_text()
        self.assertIn("/models/model.gguf", text)
        path = self.write("cluster.yaml", text.replace("/models/model.gguf", MODEL))
        ran = subprocess.run([FERRY, "doctor", "--values", path], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        groups = {g["name"]: g["tp"] for g in yaml.safe_load(text)["groups"]}
        sets = [d for d in documents(KUBERNETES / "groups.yaml") if d["kind"] == "StatefulSet"]
        pods = {f"{s['metadata']['name']}-{i}": int(s["spec"]["template"]["spec"]["containers"][0]["command"][-1])
                for s in sets for i in range(s["spec"]["replicas"])}
        self.assertEqual(pods, groups)

    def test_the_slurm_job_serves_and_ends_where_one_host_plays_the_nodes(self):
        """`scontrol` and `srun` are stand-ins that start the ranks here; all else is the script and ferry."""
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        stand_ins = {"scontrol": "echo localhost; echo localhost\n", "srun": SRUN}
        for name, text in stand_ins.items():
            (bin_folder / name).write_text("#!/bin/bash\n" + text)
            (bin_folder / name).chmod(0o755)
        run, port = self.folder / "run", free_port()
        job = self.start(["bash", str(ROOT / "launch/slurm/ferry.sbatch")],
                         env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "FERRY": FERRY, "MODEL": MODEL,
                              "KV_MEMORY": "64MiB", "TP": "2", "PORT": str(port), "RUN": str(run), "USER": "me",
                              "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "two", "SLURM_CPUS_PER_TASK": "1"})
        job.wait_for_log("path prefill-0 → decode-0 is ready")
        request = urllib.request.Request(f"http://localhost:{port}/v1/completions", b'{"prompt": "A", "max_tokens": 2}',
                                         {"Authorization": "Bearer " + (run / "key").read_text().strip()})
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual(answer.status, 200)
        job.process.terminate()
        job.end()
        self.expect_gone(run, 15)


if __name__ == "__main__":
    main()
