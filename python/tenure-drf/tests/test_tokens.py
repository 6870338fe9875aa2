"""Forged, damaged, foreign and huge tokens: refused as 401 of a kind that signs nobody out, and cheaply."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backends import Tenure, Testbed
from conftest import Asked, Browser, Configure, call, listen, problem, user
from tenure_drf import tenure as module
from tenure_drf.issuer import Credential
from tenure_drf.tokens import ExpiredError, ForeignIssuerError, TokenError, header_of, kid_of, verify

NOW = 1_795_000_000


def encoded(data: bytes | dict[str, Any] | str) -> str:
    text = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forgeries(token: str, keys: Any) -> Iterator[tuple[str, str]]:
    """A real token, made something else by somebody who has the public keys and none of the private ones."""
    header, payload, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    public = keys.for_token(token)[header]
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    promoted = encoded({**said, "role": "superuser"})
    yield "nobody signed it", f"{encoded({'alg': 'none', 'typ': 'at+jwt'})}.{payload}."
    yield "nobody signed it, with the key's name", f"{encoded({'alg': 'none', 'kid': kid, 'typ': 'at+jwt'})}.{payload}."
    for name, secret in (("raw", raw), ("pem", pem)):
        for alg in ({"alg": "HS256", "kid": kid, "typ": "at+jwt"}, {"alg": "HS256", "typ": "JWT"}):
            signed = f"{encoded(alg)}.{promoted}"
            tag = hmac.digest(secret, signed.encode(), hashlib.sha256)
            yield f"the public key as a secret, {name} {alg['typ']}", f"{signed}.{encoded(tag)}"
    mallory = Ed25519PrivateKey.generate()
    for name, head in (
        ("our header", header),
        ("her own", encoded({"alg": "EdDSA", "typ": "at+jwt", "kid": "mallory"})),
    ):
        yield f"signed by another, {name}", f"{head}.{promoted}.{encoded(mallory.sign(f'{head}.{promoted}'.encode()))}"
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encoded(mallory.public_key().public_bytes_raw())}
    for extra in (
        {"jwk": jwk},
        {"jku": "https://mallory.example/keys"},
        {"crit": ["exp"]},
        {"x5u": "https://m.example"},
    ):
        head = encoded(json.dumps({"alg": "EdDSA", "kid": kid, "typ": "at+jwt", **extra}, separators=(",", ":")))
        yield f"with {next(iter(extra))}", f"{head}.{promoted}.{encoded(mallory.sign(f'{head}.{promoted}'.encode()))}"
    yield "another payload", f"{header}.{promoted}.{signature}"
    yield "cut off", token[:-5]
    yield "a bit flipped", f"{header}.{payload}.{signature[:-3]}{'A' if signature[-3] != 'A' else 'B'}{signature[-2:]}"
    yield "four parts", f"{token}.x"
    yield "the same in another spelling", f"{header}=.{payload}.{signature}"
    yield "no parts", "garbage"
    yield "dots", "..."
    yield "not ASCII", f"{token}é"
    yield "a blank in it", f"{header} .{payload}.{signature}"
    yield "deeply nested", f"{encoded('[' * 1200)}.{payload}.{signature}"
    yield "huge", "A" * 10_000_000
    yield "huge with dots", f"{header}.{'A' * 100_000}.{signature}"
    yield "two thousand dots", "." * 2000


@pytest.mark.django_db
@pytest.mark.parametrize("freshness", ["strict", "push", "stateless"])
def test_no_forgery_is_let_in_and_none_ends_a_session_or_becomes_a_load(
    server: Tenure, configure: Configure, ada: Browser, freshness: str, asked: Asked
) -> None:
    here = listen(configure, server) if freshness == "push" else configure(server, FRESHNESS=freshness)
    assert call("/me", ada).status_code == 200
    cases = list(forgeries(ada.token, here.keys))
    asked.clear()
    for what, forged in cases:
        answer = call("/me", forged)
        assert answer.status_code == 401, what
        problem(answer, 401, "access_token_invalid")
    # What cannot be one of its tokens is no reason to fetch keys; her own key was asked for once at most.
    assert asked.count("/.well-known/jwks.json") <= 1
    if freshness != "strict":
        assert len(asked) <= (2 if freshness == "push" else 1)
    assert call("/me", ada).status_code == 200
    assert ada.refresh() == 200


@pytest.mark.django_db
def test_other_secrets_in_a_tokens_place_are_said_to_be_of_the_wrong_kind(
    server: Tenure, configure: Configure, asked: Asked
) -> None:
    configure(server, FRESHNESS="stateless")
    problem(call("/me", "tnr1_" + "A" * 60), 401, "wrong_token_type")
    for odd in ("Bearer", "Bearer ", "bearer   "):
        problem(call("/me", authorization=odd), 401, "access_token_invalid")
    assert asked == []


@pytest.mark.django_db
def test_another_issuer_and_another_audience_are_refused_and_the_log_says_which_setting(
    server: Tenure, configure: Configure, ada: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    for told in ({"ISSUER": "https://other.example.com", "URL": server.url}, {"AUDIENCE": "billing"}):
        caplog.clear()
        configure(server, FRESHNESS="stateless", **told)
        for _ in range(3):
            problem(call("/me", ada), 401, "access_token_invalid")
        said = [record for record in caplog.records if "ISSUER has to be" in record.getMessage()]
        assert len(said) == 1


@pytest.mark.django_db
def test_a_token_expires_by_our_clock_and_is_given_the_leeway(
    server: Tenure, configure: Configure, ada: Browser
) -> None:
    here = configure(server, FRESHNESS="stateless", LEEWAY=20)
    expires = jwt.decode(ada.token, options={"verify_signature": False})["exp"]
    for now, refused in ((expires - 900, False), (expires + 19.9, False), (expires + 20.1, True)):
        here.wall = partial(float, now)
        if refused:
            told = problem(call("/me", ada), 401, "access_token_expired")
            assert "refresh" in told["detail"]
        else:
            assert here.admit(Credential(ada.token))[0].user == ada.user


@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_while_ends_are_told_our_clock_may_be_wrong_by_an_hour(configure: Configure, ahead: int) -> None:
    server = Testbed(ahead=ahead)
    try:
        listen(configure, server)
        bob = Browser(server, user(server))
        for _ in range(3):
            assert call("/me", bob).status_code == 200
        server.leap(901)
        answer = call("/me", bob)
        # Its beats tell the time that has come, or it is asked.
        deadline = time.monotonic() + 10
        while answer.status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
            answer = call("/me", bob)
        problem(answer, 401, "access_token_expired")
        assert bob.refresh() == 200
        assert call("/me", bob).status_code == 200
    finally:
        module.forget()
        server.end()


SIGNER = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
GOOD: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": "tenure",
    "sub": "usr_" + "1" * 32,
    "sid": "ses_" + "2" * 32,
    "ver": 3,
    "role": "user",
    "iat": NOW,
    "exp": NOW + 900,
    "jti": "j",
}


def signed(payload: bytes) -> str:
    head = f"{header_of('k1')}.{encoded(payload)}"
    return f"{head}.{encoded(SIGNER.sign(head.encode()))}"


def read(payload: bytes, now: float = NOW) -> Any:
    keys = {header_of("k1"): SIGNER.public_key()}
    return verify(signed(payload), keys, "https://id.example", "tenure", now)


def test_a_token_says_who_it_is_and_until_when() -> None:
    claims = read(json.dumps(GOOD).encode(), NOW + 899.9)
    assert (claims.user, claims.session, claims.version, claims.issued_at) == (GOOD["sub"], GOOD["sid"], 3, NOW)
    with pytest.raises(ExpiredError):
        read(json.dumps(GOOD).encode(), NOW + 900)
    # One from the future is a clock that differs.
    assert read(json.dumps(GOOD).encode(), NOW - 600).role == "user"


@pytest.mark.parametrize(
    "payload",
    [
        *(
            json.dumps({name: value for name, value in GOOD.items() if name != left}).encode()
            for left in GOOD
            if left != "jti"
        ),
        *(
            json.dumps({**GOOD, **odd}).encode()
            for odd in (
                {"ver": True},
                {"exp": "1795000900"},
                {"exp": 1795000900.5},
                {"iat": None},
                {"sub": 7},
                {"sub": "usr_1"},
                {"sub": GOOD["sid"]},
                {"sid": "ses_" + "G" * 32},
                {"role": ["user"]},
                {"aud": ["tenure"]},
                {"aud": "tenure2"},
                {"iss": "https://id.example/"},
                {"iss": ["https://id.example"]},
            )
        ),
        b"[]",
        b"7",
        b"{",
        b"",
        b"\xff\xfe",
        b"[" * 1000,
    ],
)
def test_what_is_signed_and_of_another_shape_is_refused(payload: bytes) -> None:
    with pytest.raises(TokenError):
        read(payload)


def test_a_token_of_the_key_for_somebody_else_is_told_apart() -> None:
    with pytest.raises(ForeignIssuerError):
        read(json.dumps({**GOOD, "aud": "billing"}).encode())


def test_only_a_header_that_a_tenure_could_have_written_names_a_key() -> None:
    assert kid_of(f"{header_of('k7')}.e30.AA") == "k7"
    assert kid_of(f"{header_of('schlüssel')}.e30.AA") == "schlüssel"
    odd = ['{"alg":"none","kid":"k","typ":"at+jwt"}', '{"kid":"k"}', "[]", '"k"', "{", "", '{"alg":"EdDSA","kid":7}']
    odd += ['{"alg":"EdDSA","kid":"\\ud800","typ":"at+jwt"}', '{"typ":"at+jwt","alg":"EdDSA","kid":"k"}']
    for text in odd:
        assert kid_of(f"{encoded(text)}.e30.AA") is None
    assert kid_of("garbage") is None
    assert kid_of("." * 5000) is None


def test_a_credential_is_not_printed() -> None:
    assert "secret" not in repr(Credential("secret"))
    assert "secret" not in f"{Credential('secret', is_api_key=True)}"
