"""What each task knows about its models: how they are opened, calibrated, fed and judged."""
