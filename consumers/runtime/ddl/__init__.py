"""Definitions of the runtime's tables, as SQL that a database administrator can read and run.

`:role` stands for the service's role and `:schema` for the schema in which a migration works.
"""
