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
        # An ADO or ODBC string, a login beside its registry, a header, a default that stands in for a reference.
        ("Server=db;Uid=sa;Pwd=hunter2", ["Pwd"]),
        ("AccountName=a;AccountKey=aGk/+==;EndpointSuffix=x", ["AccountKey"]),
        ('{"auths":{"r.io":{"auth":"dTpodW50ZXIy"}}}', ["auth"]),
        ("//registry.example.com/:_authToken=hunter2", ["_authToken"]),
        ("client-key-data: LS0tLS1CRUdJTg==", ["client-key-data"]),
        ("Authorization: Bearer hunter2Hunter2", ["(value)"]),
        ('proxy_set_header Authorization "Basic dTpodW50ZXIy";', ["(value)"]),
        ("token: Bearer hunter2", ["token"]),
        ("password=${DB_PASSWORD:-hunter2}", ["password", "DB_PASSWORD"]),
        # A value on the line below its name, or in an entry of its own.
        ("password: |-\n  hunter2\n", ["password"]),
        ("- name: DB_PASSWORD\n  value: hunter2", ["DB_PASSWORD"]),
        ('{"name":"DB_PASSWORD","value":"hunter2"}', ["DB_PASSWORD"]),
        ('<add key="Pwd" value="hunter2"/>', ["Pwd"]),
        ("<password>hunter2</password>", ["password"]),
        # What looks like a path or a call, and is none.
        ("password: /hunter2", ["password"]),
        ("password: hunter(2", ["password"]),
        ("token = redis.call('GET', key)", []),
        ("token = redis.call(\n", []),
        ("token := ask(ctx)", []),
        ("if token == nil then", []),
        ("password=$(cat /run/secrets/db)", []),
        ('password: "${PASS:?none was given}"', []),
        ("token=${HEAD:0:7}", []),
        ("password: %(ENV_PASS)s", []),
        ("private_key: certs/api.pem", []),
        ("password: # set later", []),
        ("password: vault:secret/data/db#pw", []),
        ("password: ENC[AES256_GCM,data:x]", []),
        ('"serviceAccountToken":{"audience":"x"}', []),
        ("Authorization: Bearer ${TOKEN}", []),
        ("auth: token based", []),
        ("auth_type: Basic authentication", []),
        ("jwt_key: |\n  -----BEGIN PUBLIC KEY-----\n", []),
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
        ({"DB_PW": "hunter2"}, ["DB_PW"]),
        ({"dbPwd": "hunter2"}, ["dbPwd"]),
        ({"ENC_KEY": "hunter2", "SSH_KEY": "hunter2", "CRED": "hunter2"}, ["ENC_KEY", "SSH_KEY", "CRED"]),
        ({"PASSWORD": "/hunter2"}, ["PASSWORD"]),
        ({"PASSWORD": "hunter(2"}, ["PASSWORD"]),
        ({"PASSWORD": "{hunter2"}, ["PASSWORD"]),
        ({"AUTHORIZATION": "Bearer hunter2Hunter2"}, ["AUTHORIZATION"]),
        ({"AUTH": "Basic dTpodW50ZXIy"}, ["AUTH"]),
        ({".dockerconfigjson": '{"auths":{"r.io":{"auth":"dTpodW50ZXIy"}}}'}, [".dockerconfigjson (auth)"]),
        ({"sk_live_abcdefghijkl": "on"}, ["a key"]),
        ({"AUTH": "true", "AUTH_ENABLED": "true", "AUTH_MODE": "basic"}, []),
        ({"TOKEN": "Bearer $(TOKEN)"}, []),
        ({"PWD": "/app"}, []),
        ({"PASSWORD_HASH": "a1b2", "IMAGE_DIGEST": "sha256:" + "a" * 64, "CHECKSUM": "a" * 64}, []),
        ({"ADMIN_PASSWORD": "$2a$10$abcdefghijklmnopqrstuv"}, []),
        ({"REQUEST": "123e4567-e89b-12d3-a456-426614174000"}, []),
        ({"SSH_KEY": "ssh-ed25519 AAAAC3Nz me", "PUBLIC_KEY": "hunter2"}, []),
        ({"API_KEY_HEADER": "X-Key", "SECRETS_BACKEND": "vault", "imagePullSecret": "regcred"}, []),
        ({"ROUTING_KEY": "orders", "CREDIT": "5", "BYPASS": "on", "passwordMinLength": "8"}, []),
    ],
)
def test_entries(data: dict[str, str], found: list[str]) -> None:
    """Of a ConfigMap or of an environment."""
    assert plaintext.in_mapping(data) == found


@pytest.mark.parametrize(
    "token",
    [
        "ASIA" + "A" * 16, "ghp_" + "a" * 36, "github_pat_" + "a" * 30, "glpat-" + "a1" * 10, "xoxb-123-abcdefghij",
        "https://hooks.slack.com/services/T00/B00/XXXX", "AIza" + "a" * 35, "sk-proj-" + "a" * 20, "sk-ant-" + "a" * 20,
        "sk_live_" + "a" * 24, "rk_test_" + "a" * 24, "SG." + "a" * 22 + "." + "a" * 43, "hvs." + "a" * 24,
        "npm_" + "a" * 36, "SUA" + "A" * 55, "-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----",
        "https://a.blob.core.windows.net/c?sv=1&sig=" + "a" * 44, "eyJhbGciOi.eyJzdWIiOi.abc",
    ],
)  # fmt: skip
def test_an_issuers_token_whatever_it_is_named(token: str) -> None:
    """As a value, inside a line, and in a comment; and never as the end of a longer word."""
    assert plaintext.in_mapping({"NOTE": token}) == ["NOTE"]
    assert plaintext.in_settings(f"# {token} is it") == ["(value)"]


@pytest.mark.parametrize(
    "text", ["task-proj-abcdefghijklmnop", "risk_test_abcdefghijklmnop", "https://hooks.slack.com/", "MAKIA" + "A" * 16]
)
def test_what_only_resembles_a_token(text: str) -> None:
    """A longer word, an address without its path."""
    assert plaintext.in_mapping({"NOTE": text}) == []


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"password": "hunter2"}, ["password"]),
        ({"aws": "AKIA" + "A" * 16}, ["aws"]),
        ({"example.org/password": "hunter2"}, ["example.org/password"]),
        ({"example.org/note": "glpat-" + "a1" * 10}, ["example.org/note"]),
        ({"example.org/snippet": "x\npassword: hunter2"}, ["example.org/snippet (password)"]),
        # What controllers and charts write.
        ({"vault.hashicorp.com/agent-inject-secret-db": "secret/data/db"}, []),
        ({"vault.hashicorp.com/agent-inject-template-db": 'export PASSWORD="{{ .Data.password }}"'}, []),
        ({"vault.hashicorp.com/agent-inject-token": "true"}, []),
        ({"nginx.ingress.kubernetes.io/auth-secret": "basic-auth"}, []),
        ({"cert-manager.io/private-key-algorithm": "RSA"}, []),
        ({"checksum/secret": "a" * 64}, []),
    ],
)
def test_labels_and_annotations(data: dict[str, str], found: list[str]) -> None:
    """Under a plain name as anywhere; `owner/name` is mostly a controller's setting."""
    assert plaintext.in_labels(data) == found


@given(st.from_regex(r"(sk_live_[a-z]{12}|AKIA[A-Z]{16})", fullmatch=True))
def test_no_answer_repeats_the_secret(secret: str) -> None:
    """Not where it is the value, nor where it is the name."""
    data = {"DB_PASSWORD": secret, secret: "x", "url": f"nats://me:{secret}@nats", "file": f"a: b\npassword: {secret}"}
    told = [*plaintext.in_mapping(data), *plaintext.in_labels(data), *plaintext.in_arguments([f"--password={secret}"])]
    assert len(told) >= 7
    assert not any(secret in text for text in told)


@given(st.text(), st.from_regex(r"[a-z][a-z0-9]{5,20}", fullmatch=True), st.text())
def test_no_text_around_a_password_hides_it(before: str, secret: str, after: str) -> None:
    """And no text, whatever it holds, makes the search fail."""
    if secret in ("false", "true"):
        return
    assert "password" in plaintext.in_settings(f"{before}\npassword: {secret}\n{after}")
