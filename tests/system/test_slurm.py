"""Slurm's variables, as its manual describes them (srun, "OUTPUT ENVIRONMENT VARIABLES"), as a world of processes."""

import pytest

from ttsr.system.slurm import first_host, slurm_world

TASK = {
    "SLURM_JOB_ID": "1000",
    "SLURM_STEP_ID": "2",
    "SLURM_NTASKS": "6",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_TASKS_PER_NODE": "4,2",
    "SLURM_JOB_NODELIST": "gpu[07,12]",
    "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.9",
}


def test_a_task_joins_the_world_of_its_step() -> None:
    assert slurm_world(TASK) == {
        "RANK": "5",
        "WORLD_SIZE": "6",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "gpu07",
        "MASTER_PORT": str(15000 + (17 * 1000 + 2) % 16000),
    }


def test_what_describes_the_step_goes_before_what_describes_the_job() -> None:
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)", "SLURM_STEP_NODELIST": "gpu12,gpu14"}
    world = slurm_world(TASK | step | {"SLURM_PROCID": "1", "SLURM_LOCALID": "0"})
    assert [world[name] for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")] == ["2", "1", "gpu12"]


def test_tasks_of_one_node_meet_on_it() -> None:
    world = slurm_world(TASK | {"SLURM_TASKS_PER_NODE": "6", "SLURM_NODEID": "0", "SLURM_LOCALID": "5"})
    assert (world["MASTER_ADDR"], world["LOCAL_RANK"], world["LOCAL_WORLD_SIZE"]) == ("127.0.0.1", "5", "6")


@pytest.mark.parametrize("gpus", [{"SLURM_GPUS_PER_TASK": "1"}, {"SLURM_TRES_PER_TASK": "cpu=4,gres/gpu=1"}])
def test_a_task_that_sees_only_its_own_gpu_takes_the_first_it_sees(gpus: dict[str, str]) -> None:
    world = slurm_world(TASK | gpus)
    assert (world["LOCAL_RANK"], world["LOCAL_WORLD_SIZE"]) == ("0", "1")


def test_without_a_list_of_nodes_the_launching_node_is_the_master() -> None:
    assert slurm_world({**TASK, "SLURM_JOB_NODELIST": ""})["MASTER_ADDR"] == "10.0.0.9"


def test_what_the_user_has_set_stays() -> None:
    world = slurm_world(TASK | {"MASTER_ADDR": "head", "MASTER_PORT": "29500", "WORLD_SIZE": "6"})
    assert world == {"RANK": "5", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {name: value for name, value in TASK.items() if name != "SLURM_STEP_ID"},  # the batch script
        TASK | {"SLURM_NTASKS": "1"},
        TASK | {"SLURM_STEP_NUM_TASKS": "1"},  # srun --ntasks 1 in a job of six
        TASK | {"RANK": "0", "WORLD_SIZE": "4"},  # torchrun, started by srun
    ],
)
def test_all_else_is_left_alone(environment: dict[str, str]) -> None:
    assert slurm_world(environment) == {}


@pytest.mark.parametrize(
    "nodes, host",
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[07-09,12],login1", "gpu07"),
        ("gpu[3,7]", "gpu3"),
        ("rack[1-2]node[03-04].cluster,x", "rack1node03.cluster"),
        ("a-b-[10-12]", "a-b-10"),
        ("", ""),
    ],
)
def test_the_first_host_of_a_node_list(nodes: str, host: str) -> None:
    assert first_host(nodes) == host
