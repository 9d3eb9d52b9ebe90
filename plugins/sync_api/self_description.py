"""The document of this API, for those who are logged in."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from sync_api.access import Reader
from sync_api.room import base_path, room

router = room("", "This API")


_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"openapi": "3.1.0", "info": {}, "paths": {}}}}}
}


@router.get("/openapi.json", responses=_ANSWER)
def get_openapi_document(request: Request, caller: Reader) -> dict[str, Any]:
    """Return the OpenAPI document, as `data-sync openapi` prints it."""
    document: dict[str, Any] = request.app.openapi()
    return {**document, "servers": [{"url": base_path(request)}]}
