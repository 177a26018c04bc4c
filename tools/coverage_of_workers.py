"""A plugin of pytest for `make coverage`: each process of pytest-xdist saves its measurement when its tests are done.

Left to the end of the process, it may be lost: pytest-xdist gives it a second to end.
"""

import coverage
import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Save what was measured in a process that runs tests for another."""
    measurement = coverage.Coverage.current()
    if measurement is not None and hasattr(session.config, "workerinput"):
        measurement.stop()
        measurement.save()
