"""The morning report: how the API did yesterday, for each customer that one should know of."""
