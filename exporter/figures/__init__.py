"""What the reported buckets say: the hour shown, the 28-hour sums, and when they grow stale.

Everything here is a pure function of its arguments; the time is one of them.
"""
