"""From bytes to lines: log objects, S3, read-ahead, compression."""
