"""Encryption under keys of its own, which can change."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from django_qaprod import vault
from django_qaprod.exceptions import NoKeyError, UnreadableError

A, B = (Fernet.generate_key().decode() for _ in range(2))


def test_only_its_keys_decrypt(settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [A]}
    token = vault.encrypt(b"Ada")
    assert b"Ada" not in token
    assert vault.decrypt(token) == b"Ada"
    settings.QAPROD = {"RESCUE_KEYS": [B]}
    for act in (vault.decrypt, vault.rotate):
        with pytest.raises(UnreadableError):
            act(token)


def test_a_new_key_in_front_encrypts_and_the_old_one_still_decrypts(settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [A]}
    old = vault.encrypt(b"Ada")
    settings.QAPROD = {"RESCUE_KEYS": [B, A]}
    assert vault.decrypt(old) == b"Ada"
    assert not vault.is_current(old)
    new = vault.rotate(old)
    assert vault.is_current(new)
    settings.QAPROD = {"RESCUE_KEYS": [B]}
    assert vault.decrypt(new) == b"Ada"


@pytest.mark.parametrize("at", [0, 20, -1])
def test_what_was_changed_is_unreadable(settings: Settings, at: int) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [A]}
    token = bytearray(vault.encrypt(b"Ada"))
    token[at] ^= 1
    with pytest.raises(UnreadableError):
        vault.decrypt(bytes(token))


def test_without_a_key_nothing_is_encrypted_outside_of_debug(settings: Settings) -> None:
    for keys in ([], ["no key"]):
        settings.QAPROD = {"RESCUE_KEYS": keys}
        assert not vault.available()
        for act in (vault.encrypt, vault.decrypt, vault.rotate, vault.is_current):
            with pytest.raises(NoKeyError, match="RESCUE_KEYS"):
                act(b"x")


def test_in_debug_the_secret_key_stands_in(settings: Settings) -> None:
    settings.DEBUG, settings.QAPROD = True, {}
    assert vault.available()
    assert vault.decrypt(vault.encrypt(b"Ada")) == b"Ada"


def test_what_is_no_key_is_left_out_and_named(settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": ["short", A, "ünïcode"]}
    assert vault.bad_keys() == [0, 2]
    assert vault.decrypt(vault.encrypt(b"Ada")) == b"Ada"
