"""What it takes to look at the dashboards without X and without Grafana: made-up history, pictures."""
