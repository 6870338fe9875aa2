"""From step 1 on: what comes of each refresh."""

import logging

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.views import TokenRefreshView

logger = logging.getLogger(__name__)


class ToldRefreshView(TokenRefreshView):
    def post(self, request: Request, *args: object, **kwargs: object) -> Response:
        try:
            response = super().post(request, *args, **kwargs)
        except (InvalidToken, TokenError) as error:
            logger.warning("refresh refused: %s", error)
            raise
        logger.info("refresh ok")
        return response
