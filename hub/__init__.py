"""The service: identity, quota, metering, billing, inference, jobs, releases, portal, client and command line."""
