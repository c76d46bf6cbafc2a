"""Reports: keeps what orders have told of sales, and works on the jobs that make reports of it."""
