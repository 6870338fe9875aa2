from typing import Any

import urllib3
from celery import shared_task
from django.conf import settings

from .models import Report

http = urllib3.PoolManager(retries=False, timeout=10)

#: What says that nobody knows, or that it is too much: it is tried again.
LATER = (429, 500, 502, 503, 504)

#: Seconds between two tries, however long it takes.
PAUSE_MAX = 60


@shared_task(bind=True, max_retries=None, acks_late=True)
def write(self: Any, number: int) -> str:
    """Writes a report through the site's own API, which decides whether the key may."""
    report = Report.objects.select_related("owner").get(pk=number)
    key = settings.REPORTS_KEYS.get(report.account)
    if key is None:
        return _refused(report, "no key of this account")
    text = f"for {report.owner}"
    try:
        answer = http.request(
            "PUT", f"{settings.SITE_URL}/reports/{number}/result", headers={"X-API-Key": key}, json={"text": text}
        )
    except urllib3.exceptions.HTTPError as error:
        raise self.retry(exc=error, countdown=_pause(self.request.retries)) from error
    if answer.status in LATER:
        raise self.retry(countdown=_pause(self.request.retries, answer.headers.get("Retry-After", "")))
    if answer.status == 204:
        return "written"
    # An account that is not served, a key without the scope or one that was revoked: it will not be otherwise by itself.
    return _refused(report, answer.json().get("code", str(answer.status)))


def _pause(tries: int, wish: str = "") -> int:
    """Twice as long each time, and at least what was asked for."""
    usual = min(1 << min(tries, 6), PAUSE_MAX)
    return max(usual, int(wish)) if wish.isdecimal() else usual


def _refused(report: Report, why: str) -> str:
    waiting = Report.objects.filter(pk=report.pk, state=Report.State.QUEUED)
    waiting.update(state=Report.State.REFUSED, note=why)
    return f"refused: {why}"
