"""Passwords in addresses."""

import pytest

from lit_anndl.runtime.addresses import read_address, shown, without_passwords


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://me:hush@host:5432/studies", "postgresql://me:***@host:5432/studies"),
        ("postgresql://me:hu%40sh@host/studies", "postgresql://me:***@host/studies"),
        ("postgresql://host/studies?password=hush&sslmode=require", None),
        ("postgresql://host/studies?sslpassword=hush&sslpassword=rush", "postgresql://host/studies?sslpassword=***"),
        ("postgresql://postgres:postgres@host/postgres", "postgresql://postgres:***@host/postgres"),
        ("sqlite:///a folder/studies.db", "sqlite:///a folder/studies.db"),
    ],
)
def test_passwords_are_not_shown(address, expected):
    url = read_address(address)
    assert shown(url) == (expected or address.replace("hush", "***"))


@pytest.mark.parametrize("written", ["p@ss", "p%40ss"])
def test_passwords_in_errors_are_hidden_however_they_are_written(written):
    url = read_address("postgresql://me:p%40ss@host/studies")
    assert without_passwords(f"no such host: me:{written}@host", url) == "no such host: me:***@host"


@pytest.mark.parametrize(
    ("address", "message"),
    [("hush", "no address"), ("", "no address"), ("pg://me:hush@host:x/d", "port"), ("pg://me:h@ush@host/d", "%40")],
)
def test_malformed_addresses_are_refused_without_being_repeated(address, message):
    with pytest.raises(ValueError, match=message) as refusal:
        read_address(address)
    assert "ush" not in str(refusal.value)
