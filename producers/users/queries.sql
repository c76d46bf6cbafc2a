-- Statements of the users service.

-- name: add
-- Nothing is added when the address is taken. An error would name it, and be logged.
insert into app_user (user_id, email, signed_up_at)
values (%(user_id)s, %(email)s, %(signed_up_at)s)
on conflict (lower(email)) do nothing;

-- name: find
select user_id, email, signed_up_at from app_user where user_id = %(user_id)s;
