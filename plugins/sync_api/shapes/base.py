"""What all bodies, queries and answers have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: A network's slug, as a filter takes it.
NETWORK_PATTERN = r"^[a-z0-9]{1,40}$"


class Body(BaseModel):
    """What is sent: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paging(Body):
    """Which part of a list; the model of a query."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many entries at most.")] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000, description="How many entries to pass over.")] = 0


class Answer(BaseModel):
    """What comes back."""

    model_config = ConfigDict(frozen=True)
