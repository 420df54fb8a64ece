"""A router in front of a group without a model: what is tested is everything but an engine."""
import collections

import cluster
from program import FERRY, MODEL

Router = collections.namedtuple("Router", "url command")


def start_stubbed_router(test, step_ms=0, prefill_ms=0, more=""):
    """`more`: further keys of cluster.yaml."""
    port, control = cluster.free_port(), f"127.0.0.1:{cluster.free_port()}"
    yaml = test.write("cluster.yaml", f"model: {MODEL}\ngroups: [{{name: stub, role: mixed}}]\n"
                                      f'router: {{listen: "127.0.0.1:{port}", control: "{control}"}}\n{more}')
    router = test.start([FERRY, "router", yaml])
    router.wait_for_log("HTTP at")
    test.start([FERRY, "bench", "stub", "--model", MODEL, "--router", control, "--prefill", str(prefill_ms), "--step",
                str(step_ms)])
    router.wait_for_log("is ready")
    return Router(f"http://127.0.0.1:{port}", router)
