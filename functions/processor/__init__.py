"""The container-image Lambda that turns log objects into daily statistics."""
