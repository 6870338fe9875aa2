"""Two user models: one of the project's own, whose people have an e-mail and no name, and Django's usual one."""

from django.contrib.auth.models import AbstractBaseUser, AbstractUser, BaseUserManager
from django.db import models


class Person(AbstractBaseUser):
    tenure_id = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001
    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects = BaseUserManager["Person"]()

    def __str__(self) -> str:
        return self.email

    def has_perm(self, *_: object) -> bool:
        return self.is_staff

    def has_module_perms(self, *_: object) -> bool:
        return self.is_staff


class Plain(AbstractUser):
    """`TENURE` knows its people by their name."""


class Loose(AbstractBaseUser):
    """One that fits nothing."""

    nickname = models.CharField(max_length=20)
    USERNAME_FIELD = "nickname"
    objects = BaseUserManager["Loose"]()
