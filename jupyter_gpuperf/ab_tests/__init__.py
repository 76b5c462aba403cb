"""Measure how much a change to a loop gains, with A/B tests that run two loops alternately."""
