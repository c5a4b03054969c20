"""The routes."""

from __future__ import annotations

import asyncio
import uuid

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from kgents_api.log import log
from kgents_api.middleware import Faults, Requests
from kgents_api.settings import Settings
from kgents_api.stores import Agents, Messages, Unavailable
from pydantic import BaseModel, Field

SEED_RETRY_SECONDS = 1.0


class Message(BaseModel):
    """What POST /v1/messages takes."""

    agent: str = Field(..., regex="^[a-z0-9-]{1,40}$")
    text: str = Field(..., min_length=1, max_length=4000)


class Accepted(BaseModel):
    """What it answers: the message's id and the subject it was published on."""

    id: str
    subject: str


def create(settings: Settings) -> FastAPI:
    """Give the application; it connects when it starts and disconnects when it is told to end."""
    app = FastAPI(title="kgents", docs_url=None, redoc_url=None)
    # The last one added is the first one asked, so that a planted error is logged like a real one.
    faults = {
        name.removeprefix("fault_"): value for name, value in settings.dict().items() if name.startswith("fault_")
    }
    if any(faults.values()):
        log("warning", "FAULTS ARE PLANTED", **faults)
        app.add_middleware(Faults, **faults)
    app.add_middleware(Requests)

    @app.on_event("startup")
    async def connect() -> None:
        app.state.agents = Agents(settings.redis_url, settings.timeout_seconds)
        app.state.messages = Messages(settings.nats_url, settings.timeout_seconds)
        app.state.seeding = asyncio.create_task(seed())

    async def seed() -> None:
        while True:
            try:
                await app.state.agents.all()
                return
            except Unavailable as error:
                log("warning", "redis unreachable", error=str(error))
                await asyncio.sleep(SEED_RETRY_SECONDS)

    @app.on_event("shutdown")
    async def disconnect() -> None:
        app.state.seeding.cancel()
        await app.state.messages.close()
        await app.state.agents.close()
        log("info", "stopped")

    @app.exception_handler(Unavailable)
    async def unavailable(request: Request, error: Unavailable) -> JSONResponse:
        log("error", "unavailable", store=error.store, path=request.url.path, error=str(error))
        return JSONResponse({"error": str(error), "store": error.store}, status_code=503)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """The process answers; what it depends on isn't asked, or an outage of Redis would restart the API."""
        return {"status": "alive"}

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        await asyncio.gather(app.state.agents.check(), app.state.messages.check())
        return {"status": "ready"}

    @app.get("/v1/agents")
    async def agents() -> JSONResponse:
        return JSONResponse({"agents": await app.state.agents.all()})

    @app.post("/v1/messages", status_code=202, response_model=Accepted)
    async def publish(message: Message) -> JSONResponse:
        identity = uuid.uuid4().hex
        subject = await app.state.messages.publish(message.agent, {"id": identity, "text": message.text})
        return JSONResponse({"id": identity, "subject": subject}, status_code=202)

    return app
