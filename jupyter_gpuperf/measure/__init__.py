"""How to time: statistics, stop rule, timers, and the environment a result was taken in.

Standard library only at module level: workers in foreign environments import this.
"""
