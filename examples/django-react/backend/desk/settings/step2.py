"""The front end signs nobody out on an error that says nothing about the sign-in. Nothing changes here."""

from .step1 import *
