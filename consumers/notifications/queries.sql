-- Statements of notifications.

-- name: keep
insert into mailbox (message_id, user_id, recipient, subject, body, written_at)
values (%(message_id)s, %(user_id)s, %(recipient)s, %(subject)s, %(body)s, %(written_at)s);
