"""What a service tells Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class ServiceMetrics:
    """Metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._jobs = Gauge("ttsr_jobs", "Jobs that are kept, by state", ["state"], registry=registry)
        self._queue = Gauge("ttsr_queue_length", "Jobs that wait", registry=registry)
        self._ended = Counter("ttsr_jobs_ended", "Jobs that have ended, by state", ["state"], registry=registry)
        self._answers = Counter("ttsr_answers", "Answers to requests, by status", ["status"], registry=registry)
        self._seconds = Histogram("ttsr_job_seconds", "Time that a job ran", registry=registry, buckets=_SECONDS)
        self._planned = Counter("ttsr_planned_seconds", "Time that ended jobs were planned to take", registry=registry)
        self._received = Counter("ttsr_received_bytes", "Bytes of requests' bodies", registry=registry)
        self._stored = Gauge("ttsr_stored_bytes", "Bytes of pictures that are kept for later jobs", registry=registry)
        self._workers = Gauge("ttsr_workers_ready", "Worker processes that are ready", registry=registry)
        self._restarts = Gauge("ttsr_worker_restarts", "Processes that had to be replaced so far", registry=registry)

    def job_ended(self, state: str, seconds: float, planned: float) -> None:
        """Count a job."""
        self._ended.labels(state).inc()
        if seconds:
            self._seconds.observe(seconds)
            self._planned.inc(planned)

    def answered(self, status: int) -> None:
        """Count an answer."""
        self._answers.labels(str(status)).inc()

    def received(self, num_bytes: int) -> None:
        """Count bytes of a body."""
        self._received.inc(num_bytes)

    def text(self, states: Mapping[str, int], waiting: int, stored_bytes: int, workers: int, restarts: int) -> bytes:
        """All metrics in Prometheus's text format, with what is so now."""
        for state in ("queued", "running", "done", "failed", "cancelled"):
            self._jobs.labels(state).set(states.get(state, 0))
        self._queue.set(waiting)
        self._stored.set(stored_bytes)
        self._workers.set(workers)
        self._restarts.set(restarts)
        return generate_latest(self._registry)
