"""Whether text holds a secret in plain text: pure, and it never repeats the secret, it only says where.

It looks for names that mean a secret beside a literal value, and for values that can be nothing else (private keys,
cloud and Git tokens, JSON Web Tokens, passwords inside a URL). A reference (`$(NAME)`, `${NAME}`, `{{ .name }}`), a
path, a switch (`true`) and an empty value are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

# `tokens` and `tokenizer` count words; they name no secret.
_NAME = re.compile(
    r"passw(or)?d|passphrase|pass$|masterauth|secret|token(?!s|iz)|(api|access|private|signing|encryption)_?key"
    r"|credential",
    re.IGNORECASE,
)
# A name that ends so speaks about a secret and doesn't hold it.
_ABOUT = re.compile(
    r"(_?(file|path|dir|name|ref|ttl|timeout|expiry|expires|length|size|limit|count|policy|type|url|uri|"
    r"endpoint|issuer|audience|enabled|required|algorithm|rotation|interval))$",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|xox[abp]-[\w-]{10,}"
    r"|eyJ[\w-]+\.eyJ[\w-]+\.)"
)
_URL_PASSWORD = re.compile(r"\w+://[^/\s:@]*:([^/\s@]+)@")
_NO_LITERAL = re.compile(
    r"^(true|false|yes|no|on|off|null|none|nil|~|[{\[|>&*]|\$\w+$|\$\{.*\}$|\$\(.*\)$|\{\{.*|<[^>]*>$|/.*|.*\(.*)?$",
    re.IGNORECASE,
)
# `name: value`, `name = value`, `"name":"value"`. The value is only looked at, so that a setting inside it is seen too.
_SETTING = re.compile(
    r"(?<![\w.@/-])[\"']?([\w.-]+)[\"']?[ \t]*[:=][ \t]*(?=(\"[^\"\n]*\"|\$\{[^}\n]*\}|'[^'\n]*'|[^\s,;}]+))"
)
# Redis's `requirepass value`, and `--password value` inside a shell's line: only a space between.
_SPACED = re.compile(
    r"(?<!\S)(requirepass|masterauth|--[\w-]+)[ \t]+(?=(\"[^\"\n]*\"|\$\{[^}\n]*\}|'[^'\n]*'|[^\s,;}-][^\s,;}]*))"
)
_FLAG = re.compile(r"^--?([\w.-]+)(?:=(.*))?$", re.DOTALL)


def names_secret(name: str) -> bool:
    """Whether a variable, a key or a flag of this name holds a secret."""
    last = re.split(r"[./]", name.replace("-", "_"))[-1]
    return bool(_NAME.search(last)) and not _ABOUT.search(last)


def is_literal(value: str) -> bool:
    """Whether a value stands there itself: no reference, path, switch, block or call."""
    return not _NO_LITERAL.match(value.strip().strip("\"'").strip())


def is_secret(value: str) -> bool:
    """Whether a text holds what can only be a secret, whatever it is named."""
    passwords = _URL_PASSWORD.findall(value)
    return bool(_VALUE.search(value)) or any(is_literal(found) for found in passwords)


def in_settings(text: str) -> list[str]:
    """The names of a configuration file's settings that hold a secret; `(value)` for one that has no name."""
    named = [name for name, value in _settings(text) if names_secret(name) and is_literal(value)]
    return list(dict.fromkeys(named)) or (["(value)"] if is_secret(text) else [])


def in_mapping(data: Mapping[str, str]) -> list[str]:
    """Where the entries of a ConfigMap hold a secret: `key`, or `key (setting)` inside a file."""
    found = []
    for key, text in data.items():
        if names_secret(key) and is_literal(text):
            found.append(key)
        elif inside := in_settings(text):
            found.append(f"{key} ({', '.join(inside)})" if inside != ["(value)"] else key)
    return found


def in_arguments(arguments: Sequence[str]) -> list[str]:
    """The flags of a command line that carry a secret, `--password=x` and `--password x` alike."""
    found = []
    for place, argument in enumerate(arguments):
        flag = _FLAG.match(argument)
        value = (flag[2] if flag[2] is not None else next(iter(arguments[place + 1 :]), "")) if flag else ""
        if flag and names_secret(flag[1]) and not value.startswith("-") and is_literal(value):
            found.append(f"--{flag[1]}")
        elif inside := in_settings(argument):
            found.append(
                f"argument {place + 1} ({', '.join(inside)})" if inside != ["(value)"] else f"argument {place + 1}"
            )
    return found


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.lstrip().startswith(("#", "//")):
            continue
        for found in (*_SETTING.finditer(line), *_SPACED.finditer(line)):
            yield found[1].lstrip("-"), found[2]
