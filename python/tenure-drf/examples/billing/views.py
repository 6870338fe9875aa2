import urllib3
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenure_drf.auth import auth_of
from tenure_drf.conf import options
from tenure_drf.permissions import HasPlan, HasTenantAccess

http = urllib3.PoolManager(retries=False, timeout=10)

#: What Stripe signs is the body, byte for byte, with this.
FORWARDED = ("Stripe-Signature", "Content-Type")


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Tenure looks at the signature, and takes each event once. Whatever is not 2xx Stripe sends again."""
    headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
    address = options().address("/api/v1/billing/stripe/webhook")
    try:
        answer = http.request("POST", address, body=request.body, headers=headers, redirect=False)
    except urllib3.exceptions.HTTPError:
        return HttpResponse(status=503, headers={"Retry-After": "1"})
    return HttpResponse(
        answer.data, status=answer.status, content_type=answer.headers.get("Content-Type", "text/plain")
    )


class Plan(APIView):
    """For display: 200 also where something was not paid for."""

    permission_classes = [HasTenantAccess]

    def get(self, request: Request) -> Response:
        return Response({"plan": auth_of(request).plan, "may_export": auth_of(request).allows("plan:pro")})


class Export(APIView):
    """What is sold: 402 for whoever has not bought it."""

    permission_classes = [HasPlan("pro")]

    def get(self, request: Request) -> Response:
        return Response({"exported_for": auth_of(request).account})
