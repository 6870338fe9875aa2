"""All tabs of a browser show the same. Nothing changes here."""

from .step6 import *
