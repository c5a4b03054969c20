"""The sample's HTTP API: agents read from Redis, messages published on NATS."""
