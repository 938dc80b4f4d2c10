"""How far it scales: costs measured here, a simulation that reproduces a measured run, and limits on AWS.

``python -m benchmarks.scaling`` measures, checks the simulation, and rewrites the tables of docs/scaling.md.
"""
