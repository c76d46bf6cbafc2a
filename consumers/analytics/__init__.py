"""Analytics: keeps how many orders came and what they earned, minute by minute."""
