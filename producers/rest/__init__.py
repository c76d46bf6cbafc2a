"""The HTTP edge that every REST service shares: bodies, problems, request context, logs, server."""
