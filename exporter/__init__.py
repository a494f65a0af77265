"""Prometheus exporter for the hourly analytics X (Twitter) reports about media and posts."""

__version__ = "0.1.0"
