"""POSTs that may be sent again: under one `Idempotency-Key` there is one effect, and one answer."""
