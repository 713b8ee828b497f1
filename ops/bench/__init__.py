"""Benchmark of Taxiway, DBOS and bare Celery, on the same servers, in one run: `python -m ops.bench`."""
