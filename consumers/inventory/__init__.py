"""Inventory: keeps the stock of each article, and sets aside what orders need."""
