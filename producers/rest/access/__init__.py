"""Who calls a service, and whether they may: API keys, JWT, scopes, and how often each client may call."""
