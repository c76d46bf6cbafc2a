"""The other door of users: other services ask it for users by gRPC."""
