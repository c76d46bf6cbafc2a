"""What is declared, held against what is: in Postgres, in Kafka, in the schema registry, and between them."""
