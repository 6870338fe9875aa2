"""Writes tokens.json: tokens that a real simplejwt has signed, with the keys that they are checked with.

Run it with Django 5.2, djangorestframework-simplejwt and cryptography installed: `python tokens.py > tokens.json`. The
private key is drawn anew and not kept.
"""

import datetime
import json

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

settings.configure(
    SECRET_KEY="a secret of the old back end, of 50 characters....",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    USE_TZ=True,
)
django.setup()

from rest_framework_simplejwt import state, tokens  # noqa: E402
from rest_framework_simplejwt.backends import TokenBackend  # noqa: E402

NOW = datetime.datetime.fromtimestamp(1_795_000_000, tz=datetime.UTC)

pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
private = pair.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
encoding, form = serialization.Encoding.PEM, serialization.PublicFormat
public = pair.public_key().public_bytes(encoding, form.SubjectPublicKeyInfo).decode()


def token(kind: type[tokens.Token], user: object) -> tokens.Token:
    made = kind()
    made.set_iat(at_time=NOW)
    made.set_exp(from_time=NOW)
    made["user_id"] = user
    return made


rows = []
for algorithm in ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512"):
    is_shared = algorithm.startswith("HS")
    key = settings.SECRET_KEY if is_shared else private
    for audience, issuer in ((None, None), ("app", "https://old.example.com")):
        backend = TokenBackend(algorithm, key, "" if is_shared else public, audience, issuer)
        state.token_backend = backend
        tokens.Token._token_backend = backend
        for user in ("17", 17, "6f7a1c1e-0000-4000-8000-000000000000"):
            refresh = token(tokens.RefreshToken, user)
            rows.append(
                {
                    "algorithm": algorithm,
                    "audience": audience,
                    "issuer": issuer,
                    "user": str(user),
                    "jti": refresh["jti"],
                    "issued_at": refresh["iat"],
                    "expires_at": refresh["exp"],
                    "refresh": str(refresh),
                    "access": str(token(tokens.AccessToken, user)),
                    "sliding": str(token(tokens.SlidingToken, user)),
                }
            )

written = {
    "secret": settings.SECRET_KEY,
    "public": public,
    "public_pkcs1": pair.public_key().public_bytes(encoding, form.PKCS1).decode(),
    "tokens": rows,
}
print(json.dumps(written, indent=1))
