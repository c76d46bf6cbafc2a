"""Orders in the public REST contract, one module for each version."""
