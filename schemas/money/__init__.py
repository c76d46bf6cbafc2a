"""Money: amounts that never round, what each currency has as minor unit, and tax."""
