"""The document that every error is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """One thing that is wrong in what was sent."""

    field: str = Field(
        description="Its place in the body or the query, such as networks.0; empty: all of it."
    )
    message: str = Field(description="What is wrong, for people.")
    fix: str = Field(default="", description="What to write instead.")


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:data-sync:problem:schedule-missing",
                "title": "Not found",
                "status": 404,
                "detail": "There is no schedule 'nightly'. `data-sync schedules` lists the keys.",
                "code": "schedule-missing",
                "errors": [],
            }
        }
    )

    type: str = Field(description="Names the kind of problem.")
    title: str = Field(description="What the status means.")
    status: int = Field(description="The status of HTTP.")
    detail: str = Field(description="What happened and what to do, in one or two sentences for people.")
    code: str = Field(description="A word for programs; the last part of type.")
    errors: list[FieldError] = Field(default=[], description="What is wrong, field by field.")
