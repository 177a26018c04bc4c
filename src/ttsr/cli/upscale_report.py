"""What `ttsr upscale` prints: lines for people, or JSON Lines for programs."""

import json
import time
from typing import TYPE_CHECKING, Any

from ttsr.cli.printing import say, tell
from ttsr.images.picture import Picture
from ttsr.inference.job_files import Job
from ttsr.inference.jobs import JobResult
from ttsr.inference.texture_origins import reference_facts, unmatched_note
from ttsr.system.memory import gigabytes

if TYPE_CHECKING:
    from ttsr.inference.plan import Plan
    from ttsr.retrieval.finding import FoundReferences


class UpscaleReport:
    """Prints each result as it comes, and the errors again at the end, where they are seen.

    Args:
        as_json: print JSON Lines instead of lines for people.
        settings: what holds for all pictures; part of the last line.
        shown: whether to print the last line; of several processes one should.

    Attributes:
        counts: how many pictures this process has upscaled, skipped and failed at.
        totals: those of all processes of the run.
        choices: the references that were chosen for pictures, from folders of photos.
    """

    def __init__(self, as_json: bool, settings: dict[str, Any], *, shown: bool = True) -> None:
        self.settings = settings
        self.counts = self.totals = {"pictures": 0, "skipped": 0, "errors": 0}
        self.choices: dict[Job, FoundReferences] = {}
        self._errors: list[str] = []
        self._as_json, self._shown = as_json, shown
        self._start = time.perf_counter()

    def add(self, result: JobResult) -> None:
        """Print what became of a picture."""
        job, before, upscaled = result.job, result.picture, result.upscaled
        if result.error is not None:
            text = str(result.error)
            if not text.startswith((f"{job.source}: ", f"{job.target}: ")):
                text = f"{job.source}: {text}"
            self._errors.append(text)
            self.counts["errors"] += 1
            self._line({"type": "error", "input": str(job.source), "error": text})
        if result.plan is not None and before is not None:
            self._add_plan(job, before, result.plan)
        if upscaled is None or before is None:
            return
        self.counts["pictures"] += 1
        for loss in result.losses:
            say(f"{job.target}: {loss}")
        unmatched = unmatched_note(upscaled)
        if unmatched is not None:
            say(f"{job.source}: {unmatched}")
        if self._as_json:
            self._line(_facts(result, self.choices.get(job)))
        else:
            chosen = self.choices[job].references if job in self.choices else ()
            for reference in upscaled.references:
                if reference.fit is not None and reference not in chosen:  # of these it was said when they were chosen
                    say(f"{job.source}: {reference.source.name}: {reference.fit}")
            tell(
                f"{job.source} {by(before)} -> {job.target} {by(upscaled.picture)} "
                f"in {upscaled.seconds:.1f} s, peak memory {gigabytes(upscaled.peak_memory_bytes)}, "
                f"mean relevance {upscaled.relevance.mean():.3f}" + (f", maps in {result.maps}" if result.maps else "")
            )

    def _add_plan(self, job: Job, picture: Picture, plan: "Plan") -> None:
        if self._as_json:
            self._line({"type": "plan", "input": str(job.source), "input_size": list(picture.size), **_estimate(plan)})
            return
        tell(f"{job.source}: {by(picture)}, about {plan.seconds:.1f} s and {gigabytes(plan.memory_bytes)}")

    def close(self, stopped_by: str | None = None) -> None:
        """Print the errors of single pictures again, or for programs the line of the whole run.

        `stopped_by` is the error that stopped everything.
        """
        if self._shown:
            seconds = round(time.perf_counter() - self._start, 3)
            self._line({"type": "run", **self.settings, **self.totals, "stopped_by": stopped_by, "seconds": seconds})
        for text in self._errors:
            say(text)
        pictures, skipped, errors = self.totals.values()
        if self._shown and (skipped or self.totals != self.counts):
            say(f"{pictures} upscaled, {skipped} skipped, {errors} failed")

    def _line(self, facts: dict[str, Any]) -> None:
        if self._as_json:
            tell(json.dumps(facts))


def by(picture: Picture) -> str:
    """Its size for people, such as 640x480."""
    return "{}x{}".format(*picture.size)


def _facts(result: JobResult, found: "FoundReferences | None") -> dict[str, Any]:
    before, upscaled = result.picture, result.upscaled
    assert before is not None and upscaled is not None
    return {
        "type": "picture",
        "input": str(result.job.source),
        "output": str(result.job.target),
        "input_size": list(before.size),
        "output_size": list(upscaled.picture.size),
        "seconds": round(upscaled.seconds, 3),
        "peak_memory_bytes": upscaled.peak_memory_bytes,
        "references": [reference_facts(reference) for reference in upscaled.references],
        "chosen": None if found is None else _choice(found),
        "own_reference": upscaled.own_reference,
        "mean_relevance": round(float(upscaled.relevance.mean()), 4),
        "unmatched": round(upscaled.unmatched, 4),
        "maps": None if result.maps is None else str(result.maps),
        "estimate": _estimate(upscaled.plan),
        "notes": [*upscaled.notes, *result.losses],
    }


def _choice(found: "FoundReferences") -> dict[str, Any]:
    return {
        "judged": found.judged,
        "references": [{"name": str(one.path), "why": one.why, "score": round(one.score, 4)} for one in found.chosen],
        "unreadable": list(found.unreadable.values()),
    }


def _estimate(plan: "Plan") -> dict[str, Any]:
    return {"seconds": round(plan.seconds, 6), "memory_bytes": plan.memory_bytes}
