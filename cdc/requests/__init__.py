"""Request and reply over Kafka: a question straight to the topic of who can answer it, and its reply straight back.

`Requester` asks; who answers declares functions marked with `@answers` in its consumer. Neither goes through an outbox:
a question changes nothing, and is worth nothing once it is late.
"""
