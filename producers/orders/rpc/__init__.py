"""The other door of orders: how orders stand is followed here by gRPC."""
