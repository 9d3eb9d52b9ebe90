"""Who asks, and may they: each route names one permission of Airflow's, which its auth manager decides.

What a caller may not see does not exist for them: it is 404, as for a key that nobody has.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user, oauth2_scheme
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

from data_sync.errors import DatabaseError
from data_sync.looking.viewer import Viewer
from sync_api.about import About, of_body, of_log, of_path
from sync_api.breaker import OurDatabase, in_thread
from sync_api.cross_site import require_same_site
from sync_api.problems import Problem


class May(Enum):
    """What a route asks for, in Airflow's words; the value says it to people."""

    READ = "read DAGs"
    EDIT = "edit DAGs"
    RUN = "start runs of DAGs"
    SEE_SETTINGS = "read Airflow's configuration"
    TEST_ACCOUNT = "edit connections"


@dataclass(frozen=True)
class Caller:
    """The person behind a request.

    :param name: as Airflow writes it as the owner of runs; also the owner of our schedules.
    :param is_admin: whether they see and change everything: who may delete connections.
    :param credentials: the headers by which Airflow knew them, for calls on their behalf.
    """

    name: str
    is_admin: bool
    credentials: dict[str, str] = field(repr=False, compare=False)

    def owns(self, owner: str | None) -> bool:
        """Tell whether something with this owner is theirs; admins own everything."""
        return self.is_admin or (owner is not None and owner == self.name)


async def _known_user(
    request: Request,
    _docs: Annotated[str | None, Depends(oauth2_scheme)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)],
) -> Any:
    """Return Airflow's user behind the token or the cookie; both count as Airflow itself counts them."""
    try:
        return await get_user(request, None, bearer)
    except HTTPException:
        raise Problem(
            401,
            "not-logged-in",
            "Log in first: send the header Authorization: Bearer TOKEN with a token of POST /auth/token. "
            "One that is not accepted any more must be made anew.",
            headers={"WWW-Authenticate": "Bearer"},
        ) from None


def allow(
    permission: May, *, about: About = of_path, cost: int = 1, without_tables: bool = False
) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return the dependency that lets through only who may, and only so many times.

    What is refused counts too.

    :param about: finds out which DAG a request is about.
    :param cost: how many requests one counts for in the throttle.
    :param without_tables: whether the route has an answer while our database is away; requests are counted in
        this process then.
    """

    async def door(request: Request, user: Annotated[Any, Depends(_known_user)]) -> Caller:
        require_same_site(request)
        name = user.get_name()
        db: OurDatabase = request.app.state.database
        throttle = request.app.state.throttle
        try:
            await in_thread(throttle.claim, db, name, cost)
        except DatabaseError:
            if not without_tables:
                raise
            throttle.claim_here(name, cost)

        async def who() -> Viewer:
            return Viewer(name, await in_thread(_is_admin, user, of="door"))

        dag = await about(request, who)
        account = request.path_params.get("account")
        is_allowed, is_admin = await in_thread(_judge, permission, user, dag, account, of="door")
        if not is_allowed:
            raise Problem(
                403,
                "not-allowed",
                f"You may not {permission.value}. An admin of Airflow can give you a role that may.",
            )
        caller = Caller(name, is_admin, _credentials(request))
        request.state.caller = caller
        return caller

    door.permission = permission  # type: ignore[attr-defined]
    return door


Reader = Annotated[Caller, Depends(allow(May.READ))]
Editor = Annotated[Caller, Depends(allow(May.EDIT))]
Planner = Annotated[Caller, Depends(allow(May.READ, about=of_body))]
Runner = Annotated[Caller, Depends(allow(May.RUN, cost=5))]
BodyRunner = Annotated[Caller, Depends(allow(May.RUN, about=of_body, cost=5))]
LogRunner = Annotated[Caller, Depends(allow(May.RUN, about=of_log, cost=5))]
SettingsReader = Annotated[Caller, Depends(allow(May.SEE_SETTINGS, cost=5, without_tables=True))]
Tester = Annotated[Caller, Depends(allow(May.TEST_ACCOUNT, cost=10))]


def _judge(permission: May, user: Any, dag_id: str | None, account: str | None) -> tuple[bool, bool]:
    """Ask the auth manager whether this user may do this, and whether they are an admin."""
    manager = get_auth_manager()
    dag = DagDetails(id=dag_id) if dag_id is not None else None
    if permission is May.READ:
        is_allowed = manager.is_authorized_dag(method="GET", details=dag, user=user)
    elif permission is May.EDIT:
        is_allowed = manager.is_authorized_dag(method="PUT", details=dag, user=user)
    elif permission is May.RUN:
        run = DagAccessEntity.RUN
        is_allowed = manager.is_authorized_dag(method="POST", access_entity=run, details=dag, user=user)
    elif permission is May.SEE_SETTINGS:
        is_allowed = manager.is_authorized_configuration(method="GET", user=user)
    else:
        connection = ConnectionDetails(conn_id=account)
        is_allowed = manager.is_authorized_connection(method="PUT", details=connection, user=user)
    return is_allowed, _is_admin(user)


def _is_admin(user: Any) -> bool:
    return bool(get_auth_manager().is_authorized_connection(method="DELETE", user=user))


def _credentials(request: Request) -> dict[str, str]:
    names = ("authorization", "cookie", "referer")
    return {name: request.headers[name] for name in names if name in request.headers}
