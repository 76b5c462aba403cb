"""The DataLoader tuner: measure settings with the user's own data, machine and training step.

It runs in the process that has the data. torch is imported only when a loader is tuned.
"""
