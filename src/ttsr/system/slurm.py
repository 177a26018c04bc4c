"""The tasks of a Slurm step as processes of a run, in the variables by which PyTorch and Accelerate find them."""

import re
from collections.abc import Mapping

_FIRST_PORT, _NUM_PORTS = 15_000, 16_000  # below the ports that systems give to outgoing connections


def slurm_world(environment: Mapping[str, str]) -> dict[str, str]:
    """RANK, WORLD_SIZE and so on of a task of a Slurm step; empty where `environment` is not one of several tasks.

    Variables that are set already stay: with RANK the task is torchrun's or another launcher's, and nothing is added.
    The batch script itself is no task of a step, and a step of one task is a single process.
    """
    get = environment.get
    num_tasks = int(get("SLURM_STEP_NUM_TASKS") or get("SLURM_NTASKS") or 1)
    if "RANK" in environment or "SLURM_PROCID" not in environment or "SLURM_STEP_ID" not in environment:
        return {}
    if num_tasks == 1:
        return {}
    per_node = _tasks_per_node(get("SLURM_STEP_TASKS_PER_NODE") or get("SLURM_TASKS_PER_NODE") or str(num_tasks))
    node = int(get("SLURM_NODEID", "0"))
    here = per_node[node] if node < len(per_node) else num_tasks
    local_rank = int(get("SLURM_LOCALID", "0"))
    if "SLURM_GPUS_PER_TASK" in environment or "gpu" in get("SLURM_TRES_PER_TASK", ""):
        here, local_rank = 1, 0  # the task sees no GPUs but its own
    nodes = get("SLURM_STEP_NODELIST") or get("SLURM_JOB_NODELIST") or ""
    # On one node no names are needed. The node that srun was called on may be a login node: it is the last resort.
    hosts = first_host(nodes) or get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1")
    master = "127.0.0.1" if len(per_node) == 1 else hosts
    job, step = int(get("SLURM_JOB_ID") or get("SLURM_JOBID") or 0), get("SLURM_STEP_ID", "0")
    port = _FIRST_PORT + (17 * job + (int(step) if step.isdigit() else 0)) % _NUM_PORTS
    world = {
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": str(num_tasks),
        "LOCAL_RANK": str(local_rank),
        "LOCAL_WORLD_SIZE": str(here),
        "MASTER_ADDR": master,
        "MASTER_PORT": str(port),
    }
    return {name: value for name, value in world.items() if name not in environment}


def first_host(nodes: str) -> str:
    """The first host of a Slurm node list: `gpu[07-09,12],login1` -> `gpu07`."""
    head = re.match(r"[^,\[]*(?:\[[^\]]*\][^,\[]*)*", nodes)
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", head[0]) if head else ""


def _tasks_per_node(text: str) -> list[int]:
    """Tasks of each node: `2(x3),1` -> 2, 2, 2, 1."""
    parts = (re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part) for part in text.split(","))
    return [int(part[1]) for part in parts if part for _ in range(int(part[2] or 1))]
