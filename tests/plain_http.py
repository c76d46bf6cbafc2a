"""Requests to services of ours, without the certificates that a client loads first, at thirty times the cost."""

import ssl
from functools import partial

import httpx2

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Knows no certificates, and so reaches nothing but what speaks HTTP without TLS."""

request = partial(httpx2.request, verify=PLAIN, timeout=10, trust_env=False)
get = partial(request, "GET")
post = partial(request, "POST")
