"""Sagas: how many stand how, what they wait for, one of them from its beginning, and what is to be done about it."""
