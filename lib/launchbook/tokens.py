"""What the issuers' own secrets look like, whatever they are named: pure, one line an issuer.

A library of detectors was looked at (detect-secrets): it lacks several of these, each of its parts loads an HTTP
client to try what it found, and its last release is of 2024.
"""

from __future__ import annotations

import re

# A letter or a digit before would make it the end of another word: `task-proj-…`.
_FORMATS = {
    "AWS": r"(AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
    "GitHub": r"gh[pousr]_\w{30,}|github_pat_\w{22,}",
    "GitLab": r"gl(pat|dt|ft|soat|rt|cbt|ptt|imt|agent|oas)-[\w-]{16,}",
    "Slack": r"xox[abeoprs]-[\w-]{10,}|xapp-\d-[\w-]{10,}|hooks\.slack\.com/(services|workflows|triggers)/[\w/]{8,}",
    "Discord": r"discord(app)?\.com/api/webhooks/\d+/[\w-]{16,}",
    "Teams": r"webhook\.office\.com/webhookb2/[\w@-]{16,}",
    "Telegram": r"\d{8,10}:AA[\w-]{32,}",
    "Google": r"AIza[\w-]{30,}|GOCSPX-[\w-]{20,}|ya29\.[\w-]{20,}",
    "OpenAI, Anthropic and others": r"sk-(proj|svcacct|admin|ant|or)-[\w-]{10,}|sk-[A-Za-z0-9]{32,}",
    "Hugging Face": r"hf_[A-Za-z0-9]{30,}",
    "Stripe": r"[sr]k_(live|test)_[0-9A-Za-z]{10,}|whsec_[\w+/=]{20,}",
    "SendGrid": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "Twilio": r"SK[0-9a-f]{32}(?!\w)",
    "Shopify": r"shp(at|ca|pa|ss)_[0-9A-Fa-f]{32}",
    "DigitalOcean": r"do[opr]_v1_[0-9a-f]{64}",
    "Databricks": r"dapi[0-9a-f]{32}(?!\w)",
    "Vault": r"hv[sbr]\.[\w-]{20,}",
    "npm": r"npm_[0-9A-Za-z]{36}",
    "PyPI": r"pypi-AgE[\w-]{20,}",
    "NATS, a seed": r"S[UAOCNX][A-Z2-7]{56}(?![A-Z2-7])",
    "age": r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    "a JSON Web Token": r"eyJ[\w-]{4,400}\.eyJ[\w-]{4,4000}\.",
}
_PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----"
# The signature of an Azure address is what grants the access.
_SIGNED = r"[?&]sig=[\w%+/=-]{20,}"
_TOKEN = re.compile(f"(?<![A-Za-z0-9])({'|'.join(_FORMATS.values())})|{_PRIVATE_KEY}|{_SIGNED}")


def holds_token(text: str) -> bool:
    """Whether a text holds an issuer's token, a private key or a signed address."""
    return bool(_TOKEN.search(text))
