"""Read requests: who asks, what for, under which id, and how errors are answered."""
