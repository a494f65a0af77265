"""The Grafana dashboards, written as code: `python -m grafana.generate` makes the files of `dashboards/`."""
