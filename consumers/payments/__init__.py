"""Payments: charges the customer's card for every order, and tells what came of it."""
