"""Addresses of databases: read, and shown without their passwords."""

from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_HIDDEN = "***"


def read_address(text: str) -> URL:
    """The parts of an address: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.

    Raises:
        ValueError: it cannot be read; the message does not repeat it, for there may be a password in it.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ValueError("this is no address") from error
    except ValueError as error:
        raise ValueError("the port is no number") from error
    if "@" in (url.host or ""):
        raise ValueError("an @ in a password is written %40")
    return url


def sqlite_address(file: Path) -> str:
    """The address of an SQLite file."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def without_passwords(text: str, url: URL) -> str:
    """A text, an address or an error, in which the passwords of an address are hidden, however they are written."""
    for password in _passwords(url):
        for written in {password, quote(password, safe=" +"), quote(password, safe="")}:
            text = text.replace(written, _HIDDEN)
    return text


def shown(url: URL) -> str:
    """An address as it may be shown."""
    secret = dict.fromkeys(filter(_is_secret, url.query), _HIDDEN)
    return url.update_query_dict(secret).render_as_string().replace(quote(_HIDDEN), _HIDDEN)


def _passwords(url: URL) -> list[str]:
    """The passwords in an address: the user's, and those among the options."""
    options = [value for key, values in url.normalized_query.items() if _is_secret(key) for value in values]
    return list(filter(None, (url.password, *options)))


def _is_secret(option: str) -> bool:
    """Whether an option of an address holds a password."""
    return "password" in option
