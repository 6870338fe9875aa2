from django.conf import settings
from django.db import models


class Report(models.Model):
    """``account`` is the account in which its owner asked for it: whoever writes it has to be of the same."""

    class State(models.TextChoices):
        QUEUED = "queued"
        WRITTEN = "written"
        REFUSED = "refused"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    account = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    text = models.TextField(default="")
    #: The key that wrote it, or why it was not written.
    note = models.CharField(max_length=200, default="")

    def __str__(self) -> str:
        return f"report {self.pk}, {self.state}"
