"""A limit on a process's memory that the system keeps, where plans and checks of sizes were wrong."""

import sys

_SPARE_SHARE, _SPARE_BYTES = 0.25, 256 * 2**20  # plans are estimates; allocators and stacks reserve more than they use


def limit_memory(planned_bytes: int) -> None:
    """Let this process have little more than so many bytes: allocating more fails. On Linux; elsewhere nothing changes.

    What counts is memory of its own that it may write to. A GPU's is not counted, but drivers reserve so much of the
    machine's address space that processes which use a GPU should not be limited.
    """
    if sys.platform != "linux":
        return
    import resource

    limit = int((1 + _SPARE_SHARE) * planned_bytes) + _SPARE_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
