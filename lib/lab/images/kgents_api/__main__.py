"""`python3 -m kgents_api`: serve until SIGTERM, then answer what is under way and end."""

from __future__ import annotations

import sys

import uvicorn
from kgents_api.app import create
from kgents_api.log import log
from kgents_api.settings import Settings
from pydantic import ValidationError


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        log("error", "bad settings", problems=[f"{p['loc'][0].upper()}: {p['msg']}" for p in error.errors()])
        sys.exit(2)
    log("info", "starting", port=settings.port)
    uvicorn.run(
        create(settings),
        host="0.0.0.0",
        port=settings.port,
        loop="uvloop",
        access_log=False,
        log_level="warning",
        server_header=False,
    )


main()
