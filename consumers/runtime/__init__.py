"""What every consumer stands on: an effect exactly once for each message, whatever is delivered again.

The way of a record: `transport` hands a fetched partition batch to Faust whole, `worker` puts it on the lane of its
partition, `intake` decodes it, and `processor`, in one transaction, admits the ids that are new to the inbox, has
`dispatch` call their handlers, and moves the position. Only then is the batch acknowledged to Kafka.
"""
