"""The public REST contract: what clients send to the storefront and what comes back."""
