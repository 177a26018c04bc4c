"""The answers of the service, as its OpenAPI description has them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from ttsr.service.job import Job
from ttsr.service.job_request import JobPlan, StoredPicture


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="one line: what is wrong, and how to mend it")


class PictureAnswer(BaseModel):
    """A picture that was uploaded."""

    digest: str = Field(description="SHA-256 of its bytes, by which it can be named instead of being sent again")
    name: str
    width: int = Field(description="pixels of the upright picture")
    height: int

    @classmethod
    def of(cls, stored: StoredPicture) -> "PictureAnswer":
        """What is said of a stored picture."""
        return cls(digest=stored.digest, name=stored.name, width=stored.size[0], height=stored.size[1])


class PlanAnswer(BaseModel):
    """What a job will take."""

    seconds: float
    memory_bytes: int
    result_width: int
    result_height: int
    notes: list[str]

    @classmethod
    def of(cls, plan: JobPlan) -> "PlanAnswer":
        """What is said of a plan."""
        return cls(**{**vars(plan), "seconds": round(plan.seconds, 3), "notes": list(plan.notes)})


class ReferenceAnswer(BaseModel):
    """How a reference was used."""

    name: str
    sha256: str | None
    width: int
    height: int
    use: str = Field(description="`as it is`, `resampled` or `left out`")
    left_out: bool
    share: float = Field(description="of the picture that matches came from it, from 0 to 1")
    scale: float | None = None
    rotation: float | None = Field(None, description="degrees")
    mirrored: bool | None = None
    inliers: int | None = None
    colour_gain: list[float] | None = None
    colour_offset: list[float] | None = None
    notes: list[str] = []


class ResultAnswer(BaseModel):
    """What is said of a result."""

    width: int
    height: int
    seconds: float
    peak_memory_bytes: int
    own_reference: bool
    mean_relevance: float
    unmatched: float = Field(description="share of the picture, from 0 to 1, that found no match")
    references: list[ReferenceAnswer]
    pictures: list[str] = Field(description="that can be asked for")


class JobAnswer(BaseModel):
    """A job as it is now."""

    id: str = Field(description="a secret: whoever has it, has the result")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    position: int = Field(description="in the queue, from 1; 0 when it does not wait")
    fraction: float = Field(description="of the work that is done, from 0 to 1")
    stage: str
    error: str | None = Field(description="why it failed, one line")
    notes: list[str]
    plan: PlanAnswer
    result: ResultAnswer | None

    @classmethod
    def of(cls, job: Job) -> "JobAnswer":
        """What is said of a job."""
        result, notes = None, list(job.plan.notes)
        if job.result is not None:
            facts: dict[str, Any] = dict(job.result)
            notes += facts.pop("notes")
            result = ResultAnswer(**facts)
        return cls(
            id=job.id,
            state=job.state,
            position=job.position,
            fraction=round(job.fraction, 4),
            stage=job.stage,
            error=job.error,
            notes=notes,
            plan=PlanAnswer.of(job.plan),
            result=result,
        )


class SourceAnswer(BaseModel):
    """Where the texture of a place of the result came from."""

    reference: int = Field(description="number of the reference, from 0")
    name: str
    x: int = Field(description="column in the reference's own upright pixels")
    y: int
    relevance: float
    confidence: list[float] = Field(description="how far textures of the 1x, 2x and 4x level were let in")
    matched: bool


class ModelAnswer(BaseModel):
    """A model that can be chosen."""

    name: str
    default: bool


class ModelsAnswer(BaseModel):
    """The models that can be chosen."""

    models: list[ModelAnswer]
