"""The reacting half of orders: confirms or cancels an order when its payment is decided."""
