"""People choose how long they stay. Nothing changes here."""

from .step5 import *
