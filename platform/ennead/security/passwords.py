"""Passwords: the rules for new ones, and Argon2id hashes (RFC 9106)."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from ennead.errors import PasswordRefused
from ennead.folding import fold
from ennead.settings import SecuritySettings

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_LONGEST = 256
_COMMON = ("password", "matkhau", "qwerty", "123456", "abc123", "letmein", "admin123", "ennead")
# Each hash takes 64 MiB for a moment; a flood of logins must not take all memory.
_at_once = threading.BoundedSemaphore(4)


def check_rules(password: str, user_name: str, rules: SecuritySettings) -> None:
    """Whether ``password`` may be set.

    Raises
    ------
    PasswordRefused
        Too short, too long, a common word with little around it, or built on the user's name.
    """
    if not rules.password_min_length <= len(password) <= _LONGEST:
        raise PasswordRefused(
            f"A password has {rules.password_min_length} to {_LONGEST} characters; this one has "
            f"{len(password)}. A sentence is easy to remember."
        )
    folded = fold(password).replace(" ", "")
    rest = folded
    for word in (*_COMMON, fold(user_name)):
        rest = rest.replace(word, "") if len(word) > 2 else rest
    if len(rest) < rules.password_min_length // 2 or len(set(folded)) < 5:
        raise PasswordRefused(
            "This password is a common word, the user's name, or too few different characters "
            "with little else. Choose another."
        )


def hash_password(password: str) -> str:
    """Argon2id with its parameters and salt in the text."""
    with _at_once:
        return _hasher().hash(_normal(password))


def verify_password(stored: str, password: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made from; "" takes as long and fails."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _at_once:
        try:
            return _hasher().verify(stored or _nobody(), _normal(password)) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


def random_password() -> str:
    """A password nobody guesses and everybody can type: 20 letters and digits in groups."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def _normal(password: str) -> str:
    # Keyboards differ in how they compose Vietnamese letters.
    return unicodedata.normalize("NFC", password[: 4 * _LONGEST])


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe())
