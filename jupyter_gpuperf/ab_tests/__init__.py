"""A/B tests of two loops run in turn: how much does a change to the loop gain?"""
