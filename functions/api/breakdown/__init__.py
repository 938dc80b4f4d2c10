"""Inside the days of one customer or of all: routes and status codes (`GET …/routes`, `GET …/statuses`)."""
