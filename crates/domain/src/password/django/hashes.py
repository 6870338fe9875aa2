"""Writes hashes.json: hashes that a real Django has written, of passwords that the tests know.

Run it with Django 5.2, argon2-cffi and bcrypt installed: `python hashes.py > hashes.json`. Salts are drawn anew.
"""

import json

import django
from django.conf import settings

settings.configure(
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers." + name
        for name in (
            "PBKDF2PasswordHasher",
            "PBKDF2SHA1PasswordHasher",
            "Argon2PasswordHasher",
            "BCryptSHA256PasswordHasher",
            "BCryptPasswordHasher",
            "ScryptPasswordHasher",
            "MD5PasswordHasher",
        )
    ]
)
django.setup()

from django.contrib.auth.hashers import check_password, make_password  # noqa: E402

# The last two: what NFKC would change, and what is longer than one block of any hash.
PASSWORDS = ["correct horse battery staple", "pässwörd", "ﬁ² Ⅷ", "long " * 30]
TAKEN = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "scrypt"]

rows = [
    {"password": password, "hash": make_password(password, hasher=hasher)}
    for hasher in TAKEN
    for password in PASSWORDS
]
rows += [{"password": password, "hash": make_password(password, hasher="bcrypt")} for password in PASSWORDS[:3]]
for row in rows:
    assert check_password(row["password"], row["hash"]), row
print(
    json.dumps(
        {
            "django": django.get_version(),
            "hashes": rows,
            "unusable": make_password(None),
            "md5": make_password("correct horse battery staple", hasher="md5"),
        },
        ensure_ascii=False,
        indent=2,
    )
)
