"""Daily statistics per customer: the domain and what all functions share."""
