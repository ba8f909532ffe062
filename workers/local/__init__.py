"""What `penstock dev` and the tests start on one machine: an embedded Apache Kafka and sample data."""
