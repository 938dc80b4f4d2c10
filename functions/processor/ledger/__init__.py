"""The exactly-once commit: deliveries, attempts, and the statistics that follow."""
