"""Prometheus, workers and a function host under load with faults: `python -m tests.chart.live`."""
