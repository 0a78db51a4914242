"""Benchmarks: what the service does a second, each beside its twin in the same run.

Figures of different runs on different machines say little; a ratio of two things that were
measured in turns, on the same machine under the same load, says a lot.
"""
