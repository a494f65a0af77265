"""Asking X on a schedule, within its limits, and putting what it answers on the board."""
