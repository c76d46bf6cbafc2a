"""Moving a context to a database of its own while everything else goes on."""
