"""Where tickets are given out: whether anybody can get one."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from ..exchange import SCOPE
from .configuration import chosen
from .served import ticket_views

#: What makes a key that opens what is named.
MAKE_KEY = 'Make one: tenure api-key create EMAIL --name NAME --scopes "{}" --reason "..."'


def tickets_can_be_had(**_: Any) -> list[CheckMessage]:
    here, served = chosen(), ticket_views()
    if here is None or not served:
        return []
    found: list[CheckMessage] = []
    if not here.api_key:
        text = "Tickets are given out with an API key, and TENURE has no API_KEY: everybody is answered 503."
        found.append(Error(text, hint=MAKE_KEY.format(SCOPE), id="tenure.E012"))
    if not all(view.get_authenticators() for view in served):
        text = "Nobody gets a ticket: the view knows of no sign-in but Tenure's, which is not the one to take over."
        hint = "Name the other: TicketView.as_view(authentication_classes=[SessionAuthentication])."
        found.append(Error(text, hint=hint, id="tenure.E013"))
    return found
