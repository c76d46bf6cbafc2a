"""What all gRPC services share: a server with health and reflection, and channels whose calls have a deadline."""
