"""Shipping: makes shipments of what is set aside for orders, and refuses what cannot be sent."""
