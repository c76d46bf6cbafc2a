"""What every consumer stands on: an effect exactly once for each message, whatever is delivered again.

The way of a record: `transport` hands a fetched partition batch to Faust whole, `worker` gives it to `processor`, which
in one transaction admits the ids that are new (`inbox`), calls the handlers of the `consumer` for them and notes the
progress. Only then is the batch acknowledged to Kafka.
"""
