"""Services that react to messages: one package each, all on the same runtime."""
