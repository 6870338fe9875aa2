"""The front end refreshes once at a time. Nothing changes here."""

from .step2 import *
