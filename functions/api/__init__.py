"""The HTTP API: FastAPI behind Mangum on Lambda, or behind uvicorn on a laptop."""

__version__ = "0.1.0"
