"""The benchmark `e2e`: whole orders, from the request of a client to the last event."""
