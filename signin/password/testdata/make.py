"""Writes django.jsonl: hashes made by Django 5.2 with argon2-cffi and bcrypt, for hash_test.go.

Run with: python make.py > django.jsonl
"""
import json
import sys

import django
from django.conf import settings

settings.configure(PASSWORD_HASHERS=[])
django.setup()
from django.contrib.auth import hashers as h  # noqa: E402


class QuickArgon2(h.Argon2PasswordHasher):
    time_cost, memory_cost, parallelism = 1, 256, 2


class QuickBCryptSHA256(h.BCryptSHA256PasswordHasher):
    rounds = 4


class QuickBCrypt(h.BCryptPasswordHasher):
    rounds = 4


def argon2i(password):
    from argon2.low_level import Type, hash_secret

    return "argon2" + hash_secret(
        password.encode(), b"pepper-and-salt!", time_cost=2, memory_cost=512, parallelism=2, hash_len=16, type=Type.I
    ).decode("ascii")


def put(name, password, encoded):
    json.dump({"name": name, "password": password, "encoded": encoded}, sys.stdout, ensure_ascii=False)
    print()


plain = {"ascii": "correct horse", "unicode": "grüße, мир — 密码", "long": "x" * 70 + "tail", "empty": ""}
for kind, p in plain.items():
    put(f"pbkdf2_sha256 {kind}", p, h.PBKDF2PasswordHasher().encode(p, "saltySALT0123456789abc", 1200))
    put(f"pbkdf2_sha1 {kind}", p, h.PBKDF2SHA1PasswordHasher().encode(p, "saltySALT0123456789abc", 1200))
    put(f"scrypt {kind}", p, h.ScryptPasswordHasher().encode(p, "saltySALT0123456789abc", n=2**6))
    put(f"argon2id {kind}", p, QuickArgon2().encode(p, "saltySALT0123456789abc"))
    put(f"argon2i {kind}", p, argon2i(p))
    put(f"bcrypt_sha256 {kind}", p, (b := QuickBCryptSHA256()).encode(p, b.salt()))
    put(f"bcrypt {kind}", p, (b := QuickBCrypt()).encode(p, b.salt()))
p = "as Django makes it by default"
for hasher in (h.PBKDF2PasswordHasher(), h.PBKDF2SHA1PasswordHasher(), h.ScryptPasswordHasher(), h.Argon2PasswordHasher(),
               h.BCryptSHA256PasswordHasher(), h.BCryptPasswordHasher()):
    put(f"{hasher.algorithm} default", p, hasher.encode(p, hasher.salt()))
