"""Small working implementations of the services' ports, in memory, for tests without servers.

Each passes the same contract suite as the real implementation: tests/contract/ports/.
"""
