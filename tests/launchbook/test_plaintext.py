"""Which text holds a secret: names, values, files and command lines; and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook import plaintext


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("password: hunter2", ["password"]),
        ("db:\n  password: hunter2\n", ["password"]),
        ("- password: hunter2", ["password"]),
        ("export DB_PASSWORD=hunter2", ["DB_PASSWORD"]),
        ('{"db":{"api_key":"abc"}}', ["api_key"]),
        ('{"clientSecret": "abc"}', ["clientSecret"]),
        ("port 6379\nrequirepass hunter2\n", ["requirepass"]),
        ("spring.datasource.password=hunter2", ["spring.datasource.password"]),
        ("url: nats://me:hunter2@nats:4222", ["(value)"]),
        ("-----BEGIN RSA PRIVATE KEY-----", ["(value)"]),
        ("id AKIA" + "A" * 16, ["(value)"]),
        # References, paths, switches and comments are no secrets.
        ("password: $PASS", []),
        ("password: ${PASS}", []),
        ("password: $(PASS)", []),
        ("password: {{ .Values.password }}", []),
        ("password_file: /run/secrets/pw", []),
        ("password: /run/secrets/pw", []),
        ("token: true", []),
        ("password:", []),
        ('password: ""', []),
        ("# password: hunter2", []),
        ("requirepass $PASS", []),
        # A name that speaks about a secret holds none; `tokens` counts words.
        ("secretName: tls", []),
        ("token_ttl: 60", []),
        ("max_tokens: 4096", []),
        ("tokenizer: bpe", []),
        ("token = read_token()", []),
        ("see http://token:8080/docs", []),
        ("nats://nats.kgents-agents:4222", []),
        ("nats://$USER:$PASS@nats:4222", []),
        ("port 4222\nmax_payload: 1MB", []),
    ],
)
def test_a_settings_file(text: str, found: list[str]) -> None:
    """YAML, properties, JSON, shell and Redis's own form."""
    assert plaintext.in_settings(text) == found


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--password=hunter2"], ["--password"]),
        (["--password", "hunter2"], ["--password"]),
        (["redis-server", "--requirepass", "hunter2"], ["--requirepass"]),
        (["sh", "-c", "redis-server --requirepass hunter2"], ["argument 3 (requirepass)"]),
        (["--db", "postgres://me:hunter2@db/x"], ["argument 2"]),
        (["--password", "$(DB_PASSWORD)"], []),
        (["--password-file", "/run/secrets/pw"], []),
        (["--token", "--verbose"], []),
        (["sh", "-c", 'redis-server --requirepass "$PASS"'], []),
        (["--max-tokens=4096"], []),
        (["/etc/nats/nats.conf", "--port", "4222"], []),
    ],
)
def test_a_command_line(arguments: list[str], found: list[str]) -> None:
    """Whether the value stands beside its flag or after it."""
    assert plaintext.in_arguments(arguments) == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"DB_PASSWORD": "hunter2"}, ["DB_PASSWORD"]),
        ({"app.yaml": "password: hunter2"}, ["app.yaml (password)"]),
        ({"url": "nats://me:hunter2@nats"}, ["url"]),
        ({"token.lua": "return 1"}, []),
        ({"DB_PASSWORD_FILE": "/run/secrets/pw"}, []),
        ({"MAX_TOKENS": "4096"}, []),
        ({"DB_PASSWORD": "$(FROM_A_SECRET)"}, []),
    ],
)
def test_entries(data: dict[str, str], found: list[str]) -> None:
    """Of a ConfigMap or of an environment."""
    assert plaintext.in_mapping(data) == found


@given(st.text(), st.from_regex(r"[a-z][a-z0-9]{5,20}", fullmatch=True), st.text())
def test_no_text_around_a_password_hides_it(before: str, secret: str, after: str) -> None:
    """And no text, whatever it holds, makes the search fail."""
    if secret in ("false", "true"):
        return
    assert "password" in plaintext.in_settings(f"{before}\npassword: {secret}\n{after}")
