"""Stripe: its events go on to Tenure as they came, and what was paid for is read back where it is used.

The site keeps no copy of who has which plan, so nothing can be out of step; and no payment, however it ends, signs
anybody out: what is not paid for is answered 402.
"""
