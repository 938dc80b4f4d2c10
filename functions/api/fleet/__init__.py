"""All customers over a range of days (`GET /customers?from=`, `GET /overview`)."""
