"""Analytics: how many orders came and what they earned, minute by minute, and how many people signed up each day."""
