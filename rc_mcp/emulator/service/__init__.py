"""The HTTP service around the endpoints: faults, rate limits, the log of requests, the status page."""
