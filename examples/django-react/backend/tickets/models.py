from django.contrib.auth.models import AbstractUser
from django.db import models


class Account(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"

    name = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)

    def __str__(self) -> str:
        return self.name


class Person(AbstractUser):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True)
    #: What Tenure calls them, from step 5 on.
    tenure_id = models.CharField(max_length=64, unique=True, null=True, blank=True)


class Ticket(models.Model):
    author = models.ForeignKey(Person, on_delete=models.CASCADE)
    text = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.text
