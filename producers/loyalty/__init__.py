"""The loyalty service: what users have earned by ordering, and the tier that this gives them."""
