"""The API's settings, from environment variables. The process ends at once where one can't be used."""

from __future__ import annotations

from pydantic import BaseSettings, Field


class Settings(BaseSettings):
    """Read from variables of the same names in capitals, e.g. `REDIS_URL`."""

    port: int = Field(8080, ge=1024, le=65535)
    redis_url: str = "redis://redis.kgents-triad.svc.cluster.local:6379/0"
    nats_url: str = "nats://nats.kgents-agents.svc.cluster.local:4222"
    timeout_seconds: float = Field(2.0, gt=0, le=30)  # each call to Redis or NATS
    fault_error_rate: float = Field(0.0, ge=0, le=1)  # share of /v1 requests that are answered with 500
    fault_latency_ms: float = Field(0.0, ge=0, le=60_000)  # added to each /v1 request
    fault_workers: int = Field(0, ge=0)  # how many /v1 requests are served at a time; 0: no limit
    fault_leak_kib: float = Field(0.0, ge=0, le=1024)  # kept in memory for each /v1 request
