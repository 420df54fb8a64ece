"""What tests of running clusters look at: ports, processes, what /metrics says of pages."""
import pathlib
import re
import socket


def free_port():
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ranks_of(yaml, group):
    """The processes of a group of that cluster.yaml, by rank. `yaml`: its path, or a folder that it is in."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
            if words[1:2] != ["worker"] or not words[2].startswith(str(yaml)) or group not in words[3:]:
                continue
            found.append((_rank_in((entry / "environ").read_bytes()), int(entry.name)))
        except OSError:  # it has just ended
            continue
    return [pid for _, pid in sorted(found)]


def _rank_in(environment):
    found = re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", environment)
    return int(found.group(1)) if found else 0


def pages(metrics):
    """Of each group, its pages by state."""
    found = {}
    for group, state, n in re.findall(r'^ferry_pages\{group="([^"]+)",state="(\w+)"\} (\d+)$', metrics, re.M):
        found.setdefault(group, {})[state] = int(n)
    return found


def all_free(metrics):
    return all(n["free"] == sum(n.values()) for n in pages(metrics).values())


def counter(metrics, name, labels=""):
    """The value of one line of the metrics; 0: it is not there."""
    found = re.search(rf"^{re.escape(name + labels)} (\S+)$", metrics, re.M)
    return float(found.group(1)) if found else 0
