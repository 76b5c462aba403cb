"""Measurement: timers, statistics, the stop rule, and the environment of a result.

Standard library only at module level: workers in foreign environments import this.
"""
