"""The DataLoader tuner: measures settings on a user's own data, machine and training step.

Runs in the process that has the data. torch is imported when something is tuned, not before.
"""
