"""The web application: the platform's routes, every service's routes, portal and viewer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request

from ennead import __version__
from ennead.app import problems, services
from ennead.app.authentication import Authentication
from ennead.app.envelope import Envelope
from ennead.app.limits import BodyLimit
from ennead.app.routes import audit, health, session, texts, users
from ennead.app.services import FoundService
from ennead.database import Database
from ennead.errors import NotFound
from ennead.security.authenticator import Authenticator
from ennead.security.login import AttemptBrake
from ennead.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Build the application; nothing is opened before the first request but the pool.

    ``app.state`` holds ``settings``, ``database``, ``authenticator``, ``login_brake`` and
    ``services`` (those whose routes could not be mounted carry their error).
    """
    database = Database(settings.database_url, pool_size=16)
    authenticator = Authenticator(database)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        database.close()

    app = FastAPI(
        title="Ennead",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.authenticator = authenticator
    app.state.login_brake = AttemptBrake()
    problems.install(app)
    # The last added is the outermost.
    app.add_middleware(Authentication, settings=settings, authenticator=authenticator)
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(Envelope, settings=settings)
    for own in (health, session, users, audit, texts):
        app.include_router(own.router)
    app.state.services = [_mount(app, settings, found) for found in services.discover()]
    _mount_static(app, settings)
    return app


def _mount(app: FastAPI, settings: Settings, found: FoundService) -> FoundService:
    if found.service is None:
        return found
    routers = services.attempt(found, "routes", lambda service: service.routers(settings))
    if isinstance(routers, FoundService):
        return routers
    for router in routers:
        app.include_router(router)
    return found


def _mount_static(app: FastAPI, settings: Settings) -> None:
    try:
        from ennead.app import static
    except ImportError:

        @app.get("/{path:path}", include_in_schema=False)
        def nothing_built(path: str, request: Request) -> None:
            raise NotFound("Portal and viewer are not built; run make setup.")

        return
    static.mount(app, settings)
