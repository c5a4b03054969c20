"""Whether text holds a secret in plain text: pure, and it never repeats the secret, it only says where.

It looks for names that mean a secret beside a literal value, and for values that can be nothing else (tokens, private
keys, an Authorization header, passwords inside a URL). A reference (`$(NAME)`, `${NAME}`, `{{ .name }}`, `vault:…`), a
path, a public key, a hash, a switch (`true`) and an empty value are no secrets.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from launchbook.tokens import holds_token

_PASSWORD = r"passw(or)?d|passphrase|(?<!by)(?<!com)pass$|masterauth|pwd|(^|_)pw$|api_?key|access_?key|account_?key"
# `tokens` and `tokenizer` count words; they name no secret.
_NAME = re.compile(
    rf"{_PASSWORD}|secret|token(?!s|iz)|credential|(^|_)creds?(_|$)|client_?key_?data"
    r"|(private|signing|encryption|enc|crypto|ssh|master|hmac|jwt|aes|auth|deploy|shared|license)_?key",
    re.IGNORECASE,
)
# A name that ends so speaks about a secret and doesn't hold it.
_ABOUT = re.compile(
    r"(_?(file|path|dir|name|ref|ttl|timeout|expiry|expires|length|size|limit|count|policy|type|url|uri|"
    r"endpoint|issuer|audience|enabled|required|algorithm|encoding|rotation|interval|hash|checksum|digest|"
    r"fingerprint|key_?id|header|provider|backend|store|class|engine)"
    r"|_(min|max|age|days|hours|minutes|seconds|ms|format|mode|method|field|prefix|version))$"
    r"|^(max|min)_|^(existing|image_?pull|pull)_?secrets?$",
    re.IGNORECASE,
)
_NAMES_PASSWORD = re.compile(_PASSWORD, re.IGNORECASE)
_NAMES_AUTH = re.compile(r"(^|_)auth(orization)?$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<!\w)\w+://[^/\s:@]*:([^/\s@]+)@")
_NO_LITERAL = re.compile(
    r"^(true|false|yes|no|on|off|null|none|nil|~|[|>][+-]?\d?|[&*#]|={1,2}|=~"
    # What is put in later, and the opening of a list or of a mapping.
    r"|\$\w+|\$\{.*\}|\$\(.*|`.*|%[({]\w+[)}]s?|%\w+%|<[^>]*>|[{\[]([\"'\s{\[].*|[\w.-]+:.*|.*[}\]])?"
    # A path: from its second slash on, or by its file's ending; `/hunter2` may be a password.
    r"|(file:|~|\.{1,2})?(/+[\w.@-]+){2,}/?|[\w./~-]+\.(pem|key|crt|cer|p12|jks|json|ya?ml|toml|txt|conf|ini|env)"
    # Another store's reference, and what is there in encrypted form.
    r"|vault:\S+|arn:aws\S+|(op|sm|awssm|gcpsm|ref\+\w+)://\S+|projects/[\w-]+/secrets/.*|ENC[\[(].*"
    # A hash, and what is public of a pair of keys.
    r"|\$(2[abxy]|[156y]|argon2\w*|pbkdf2[\w-]*|scrypt)\$.*|\{?(sha|ssha|md)\d*[:}-].*"
    r"|(ssh-(rsa|dss|ed25519)|(sk-)?ecdsa-sha2-\S+|sk-ssh-\S+)( AAAA.*)?|-----BEGIN( ([A-Z ]*PUBLIC KEY|CERTIFICATE)-----.*)?)?$",
    re.IGNORECASE | re.DOTALL,
)
# `${NAME:-hunter2}` stands there where NAME doesn't; `${NAME:0:7}` cuts, `${NAME:?none}` complains.
_DEFAULT = re.compile(r"\$\{([\w.-]{1,80}?)(?::[-=]|[-=:])(?![?+]|-?\d+(?::\d+)?\})([^}]{1,400})\}")
# In a script the value is what a call gives. `hunter(2`, never closed, is none.
_CALL = re.compile(r"^[A-Za-z_][\w.:]*\((.*\).*|.*[(,]\s*)?$")
# `name: value`, `name = value`, `"name":"value"`. The value is only looked at, so that a setting inside it is seen too;
# and no further than where it is clear what it is, or a long text without spaces would be read once a name.
_SETTING = re.compile(
    r"(?<!\$\{)(?<![\w.@/-])[\"']?([\w.-]+)[\"']?[ \t]*[:=][ \t]*(?=(\"[^\"\n]*\"|\$\{[^}\n]{0,400}\}|'[^'\n]*'|[^\s,;}]{1,400}))"
)
# Redis's `requirepass value`, and `--password value` inside a shell's line: only a space between.
_SPACED = re.compile(
    r"(?<!\S)(requirepass|masterauth|--[\w-]+)[ \t]+(?=(\"[^\"\n]*\"|\$\{[^}\n]*\}|'[^'\n]*'|[^\s,;}-][^\s,;}]*))"
)
# An entry of its own for a name and for its value: a container's `env`, .NET's `<add key= value=>`, XML's elements.
_ENTRY = re.compile(
    r"(?:name|key)[\"']?\s*[:=]\s*[\"']?([\w.:-]+)[\"']?,?\s*[\"']?value[\"']?\s*[:=]\s*(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;}]+)"
    r"|<([\w.:-]+)>([^<\n]+)</"
)
_SCHEME = re.compile(r"^(bearer|basic)\s+", re.IGNORECASE)
# npm's settings open with `//host/`.
_COMMENT = re.compile(r"^\s*(#|//(?![\w-]+(\.[\w-]+)+[:/]))")
_BLOCK = re.compile(r"^[|>][+-]?\d?$")
_NAMELESS = ["(value)"]
_FLAG = re.compile(r"^--?([\w.-]+)(?:=(.*))?$", re.DOTALL)
# A header's value, under whatever name, and under its own. Prose (`auth: token based`) has no digit.
_HEADER = re.compile(r"\b(bearer|basic)[ \t]+([\w+/=.~-]{8,})", re.IGNORECASE)
_AUTH = re.compile(
    r"auth(?:orization)?(?:[_-]?header)?[\"']?[ \t]*(?:[:=][ \t]*[\"']?|[ \t][\"'])(?:bearer|token|apikey)[ \t]+"
    r"(?=\S*\d|\S{16})([^\s\"',;]{6,})",
    re.IGNORECASE,
)


def names_secret(name: str) -> bool:
    """Whether a variable, a key or a flag of this name holds a secret."""
    last = _last_part(name)
    return bool(_NAME.search(last)) and not _ABOUT.search(last)


def is_literal(value: str) -> bool:
    """Whether a value stands there itself: no reference, path, switch, block, hash or public key."""
    bare = _SCHEME.sub("", value.strip().strip("\"'").strip())
    default = _DEFAULT.fullmatch(bare)
    return is_literal(default[2]) if default else not _NO_LITERAL.match(bare)


def is_secret(value: str) -> bool:
    """Whether a text holds what can only be a secret, whatever it is named."""
    given = [*_URL_PASSWORD.findall(value), *_AUTH.findall(value)]
    return holds_token(value) or any(is_literal(found) for found in given) or _sends(value)


def in_settings(text: str) -> list[str]:
    """The names of a configuration file's settings that hold a secret; `(value)` for one that has no name."""
    named = [name for name, value, rest in _settings(text) if _holds(name, value) and not _CALL.match(rest)]
    return list(dict.fromkeys(map(_shown, named))) or (_NAMELESS if is_secret(text) else [])


def in_mapping(data: Mapping[str, str]) -> list[str]:
    """Where the entries of a ConfigMap hold a secret: `key`, or `key (setting)` inside a file."""
    found = []
    for key, text in data.items():
        if _holds(key, text):
            found.append(_shown(key))
        elif inside := in_settings(text) or (_NAMELESS if is_secret(f"{key}: {text}") else []):
            found.append(_within(_shown(key), inside))
    return found


def in_labels(data: Mapping[str, str]) -> list[str]:
    """The labels or annotations that hold a secret.

    `owner/name` is a controller's setting, where `secret` and `token` name an object or say how to get one.
    """
    plain = {key: text for key, text in data.items() if "/" not in key or _NAMES_PASSWORD.search(_last_part(key))}
    others = [
        _within(_shown(key), inside) for key, text in data.items() if key not in plain and (inside := in_settings(text))
    ]
    return [*in_mapping(plain), *others]


def in_arguments(arguments: Sequence[str]) -> list[str]:
    """The flags of a command line that carry a secret, `--password=x` and `--password x` alike."""
    found = []
    for place, argument in enumerate(arguments):
        flag = _FLAG.match(argument)
        value = (flag[2] if flag[2] is not None else next(iter(arguments[place + 1 :]), "")) if flag else ""
        if flag and not value.startswith("-") and _holds(flag[1], value):
            found.append(f"--{flag[1]}")
        elif inside := in_settings(argument):
            found.append(_within(f"argument {place + 1}", inside))
    return found


def _within(place: str, inside: Sequence[str]) -> str:
    return place if list(inside) == _NAMELESS else f"{place} ({', '.join(inside)})"


def _holds(name: str, value: str) -> bool:
    if names_secret(name) and is_literal(value):
        # A shell's own PWD is the folder that it works in.
        return not (name == "PWD" and value.startswith("/"))
    return bool(_NAMES_AUTH.search(_last_part(name))) and _is_pair(value.strip("\"' \n"))


def _last_part(name: str) -> str:
    """What a name says, in words parted by `_`: `spring.datasource.dbPassword` is `db_Password`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.split(r"[./]", name.replace("-", "_"))[-1])


def _shown(key: str) -> str:
    return "a key" if is_secret(key) else key


def _sends(text: str) -> bool:
    """Whether it holds an Authorization header's value: a pair of Basic, or a bearer's token with a digit in it."""
    found = [(scheme.lower(), value) for scheme, value in _HEADER.findall(text)]
    return any(
        _is_pair(value) if scheme == "basic" else len(value) >= 16 and re.search(r"\d", value)
        for scheme, value in found
    )


def _is_pair(value: str) -> bool:
    """Whether it is `user:password` in base64, as Basic sends it and a registry's login is kept."""
    try:
        user, _, password = b64decode(value, validate=True).decode("ascii").partition(":")
    except ValueError:
        return False
    return bool(user and password) and (user + password).isprintable()


def _settings(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, value and the line from the value on."""
    lines = [line for line in text.splitlines() if not _COMMENT.match(line)]
    for line, following in pairwise([*lines, ""]):
        for found in (*_SETTING.finditer(line), *_SPACED.finditer(line), *_DEFAULT.finditer(line)):
            name, value, rest = found[1].lstrip("-"), found[2], line[found.start(2) :]
            if _BLOCK.match(value):
                value = rest = following.strip()
            elif _SCHEME.match(f"{value} "):
                value = rest
            yield name, value, rest
    for found in _ENTRY.finditer("\n".join(lines)):
        value = found[2] or found[4]
        yield found[1] or found[3], value, value
