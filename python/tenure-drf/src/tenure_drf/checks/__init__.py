"""System checks, ``manage.py check --tag tenure``: what of a project's settings signs people out for no reason.

``--deploy`` asks the issuer as well.
"""

from __future__ import annotations

from django.core.checks import register as register_check

from . import code, configuration, exchange, framework, issuer, secret_key, sessions

TAG = "tenure"


def register() -> None:
    for check in (
        configuration.setting_is_right,
        configuration.user_model_fits,
        framework.refusals_stay_apart,
        framework.sessions_are_no_authority,
        framework.rotation_has_a_grace,
        sessions.cookies_are_kept,
        sessions.sessions_last,
        sessions.sessions_are_stored,
        exchange.tickets_can_be_had,
        code.middleware_signs_nobody_out,
        secret_key.secret_key_stays,
    ):
        register_check(check, TAG)
    register_check(issuer.issuer_is_the_one, TAG, deploy=True)
