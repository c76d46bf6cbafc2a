"""Supervision by supervisord: its configuration, its remote interface, and ending what it left behind."""
