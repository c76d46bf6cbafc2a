"""What every REST service with a database has besides its outbox."""
