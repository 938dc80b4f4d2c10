"""One customer by hour, day, week or month (`GET /customers/{customer_id}/stats`)."""
