-- A record's key may have a megabyte, and an index takes no more than some 2,700 bytes: unique is the digest of the key.
set local lock_timeout = '5s';
alter table parked_sequence drop constraint parked_sequence_key;
create unique index parked_sequence_key on parked_sequence (consumer, topic, sha256(key));
