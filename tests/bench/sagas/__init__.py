"""The benchmark `sagas`: the same orders by choreography, by orchestration, and by a workflow on DBOS."""
