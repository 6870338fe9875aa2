from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .models import Account


class AccountIsServed(BasePermission):
    """From step 4 on: the same refusal as the middleware's, of this request and nothing else."""

    message = "The account is suspended."
    code = "account_suspended"

    def has_permission(self, request: Request, view: object) -> bool:
        account = getattr(request.user, "account", None)
        return account is None or account.status != Account.Status.SUSPENDED
