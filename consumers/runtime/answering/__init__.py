"""Answering requests beside the messages of a consumer: without inbox, position and outbox, as nothing is changed."""
