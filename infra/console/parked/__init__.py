"""Dead letters, and what is still tried: grouped, one by one, and what is to be done about them."""
