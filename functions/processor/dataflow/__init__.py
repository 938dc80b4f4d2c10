"""The Bytewax flow of an attempt: byte ranges in, staged contributions out."""
