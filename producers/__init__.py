"""Services that take requests and own data."""
