"""The exporter's own metrics, `x_exporter_*`, all of them named here and nowhere else."""
