"""Loyalty's ear: opens an account for who signs up, and adds a point for each order that is confirmed."""
