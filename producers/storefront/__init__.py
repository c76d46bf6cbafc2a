"""The storefront: the public REST edge. It owns no data and asks the services that do."""
