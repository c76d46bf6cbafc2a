"""Signing in, where a console asks who is there: sessions, and the pages that begin and end them."""
