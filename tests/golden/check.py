#!/usr/bin/env python3
"""Runs the golden prompts through ferry in one of its forms and compares.

   check.py --ferry PATH --model FILE generate --tp 2 [--compute reference]
   check.py --ferry PATH --model FILE batch|cluster --prefill 2 --decode 3
   check.py --ferry PATH --model FILE parts --prefill-compute cpu --decode-compute cuda     groups that differ, by hand

Exit code 77: skipped, with the reason.
"""
import argparse
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "data" / "golden-smollm2-135m-q4_1.jsonl"
# Ranks are more than cores here: waiting ones must let others run.
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ferry", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("form", choices=["generate", "batch", "cluster", "parts"])
    p.add_argument("--compute", default="cpu")
    p.add_argument("--prefill-compute", default="cpu")
    p.add_argument("--decode-compute", default="cpu")
    p.add_argument("--tp", type=int, default=1)
    p.add_argument("--prefill", type=int, default=1)
    p.add_argument("--decode", type=int, default=1)
    p.add_argument("--transport", default="auto")
    p.add_argument("--only", default="", help="cases whose id begins so")
    p.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="for cluster.yaml")
    p.add_argument("--logprob-tolerance", default="0.02")
    p.add_argument("--margin", default="0", help="as compare.py has it")
    return p.parse_args()


def sections(settings):
    by_name = {}
    for setting in settings:
        key, value = setting.split("=", 1)
        section, key = key.split(".", 1)
        by_name.setdefault(section, []).append(f"{key}: {value}")
    return "".join(f"{section}: {{{', '.join(values)}}}\n" for section, values in by_name.items())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(a, folder, results):
    """The exit code of what answers the prompts."""
    main_command = command(a, folder)
    groups = []
    if a.form == "parts":  # one rank each: no mpirun is needed
        groups = [subprocess.Popen([a.ferry, "worker", str(folder / "cluster.yaml"), "--group", group, "--set",
                                    f"compute={compute}"])
                  for group, compute in (("prefill-0", a.prefill_compute), ("decode-0", a.decode_compute))]
    try:
        return subprocess.run(main_command, stdout=results, check=False).returncode
    finally:
        for group in groups:
            group.terminate()
            group.wait()


def command(a, folder):
    prompts = str(folder / "prompts.jsonl")
    mpirun = MPIRUN + (["--allow-run-as-root"] if os.geteuid() == 0 else [])
    if a.form == "generate":
        launch = [] if a.tp == 1 else mpirun + ["-n", str(a.tp)]
        return launch + [a.ferry, "generate", "--model", a.model, "--compute", a.compute, "--threads", "1",
                         "--prompts", prompts, "--json", *[word for one in a.set for word in ("--set", one)]]
    cluster = folder / "cluster.yaml"
    cluster.write_text(f"""model: {a.model}
compute: {a.compute}
link: {{transport: {a.transport}}}
{sections(a.set)}groups:
  - {{name: prefill-0, role: prefill, tp: {a.prefill}}}
  - {{name: decode-0, role: decode, tp: {a.decode}}}
""")
    if a.form == "batch":
        return [a.ferry, "batch", str(cluster), prompts, "--json"]
    if a.form == "parts":
        with cluster.open("a") as f:
            f.write(f"router: {{listen: 127.0.0.1:{free_port()}, control: 127.0.0.1:{free_port()}}}\n")
        return [a.ferry, "router", str(cluster), "--prompts", prompts, "--json"]
    n = a.prefill + a.decode + 1
    return mpirun + ["-n", str(n), a.ferry, "cluster", str(cluster), "--prompts", prompts, "--json"]


def main():
    a = arguments()
    if not os.path.exists(a.model):
        print(f"skipped: no demo model at {a.model}; launch/setup/model fetches it")
        return 77
    compare = [sys.executable, str(HERE / "compare.py"), str(GOLDEN)] + (["--only", a.only] if a.only else [])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with open(folder / "prompts.jsonl", "w", encoding="utf-8") as f:
            subprocess.run(compare + ["--prompts"], stdout=f, check=True)
        with open(folder / "results.jsonl", "w", encoding="utf-8") as f:
            code = run(a, folder, f)
        if code != 0:
            print(f"ferry ended with {code}")
            return 1
        return subprocess.run(compare + [str(folder / "results.jsonl"), "--logprob-tolerance", a.logprob_tolerance,
                                         "--margin", a.margin],
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
